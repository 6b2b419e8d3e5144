-- The upserted table; `events` is made by sluice.
SET client_min_messages = warning;
CREATE TABLE IF NOT EXISTS public.earthquakes (
    id        text PRIMARY KEY,
    mag       real,
    place     text,
    time      timestamptz NOT NULL,
    updated   timestamptz NOT NULL,
    longitude double precision NOT NULL,
    latitude  double precision NOT NULL,
    depth     double precision,              -- kilometres
    tsunami   integer NOT NULL,
    title     text,
    url       text
);
