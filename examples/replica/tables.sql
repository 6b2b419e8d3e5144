-- The source's tables, and those of its copy. The times have milliseconds, because Cassandra's have no more.
CREATE TYPE mood AS ENUM ('calm', 'très content');
CREATE TABLE customers (
    id int PRIMARY KEY, name text NOT NULL, balance numeric(38,10), mood mood, active boolean,
    created timestamptz(3), seen timestamp(3), note text);
CREATE TABLE orders (
    id uuid PRIMARY KEY, customer int, total numeric, lines jsonb, tags text[], placed timestamptz(3));
CREATE TABLE documents (
    id bigint PRIMARY KEY, title text, body text NOT NULL, raw bytea, day date, at time(3));
CREATE TABLE stock (
    warehouse text, product text, amount int, PRIMARY KEY (warehouse, product));
CREATE TABLE readings (
    id bigint PRIMARY KEY, small smallint, ratio double precision, share real, span interval, flags bit(5), numbers int[]);
CREATE TABLE places (id int PRIMARY KEY, city text NOT NULL, name text);
