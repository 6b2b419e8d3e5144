/* Cassandra for C and C++: prepared writes in bulk, whose cells the caller has already encoded.
 *
 * What it is for: whole batches of rows cross this border, so that a row costs a copy and not a
 * call. It converts no value, never resends a row, and never adds a timestamp: the caller binds it
 * (`USING TIMESTAMP ?`) and, where an outcome is unknown, sends the identical row again.
 *
 * Threads. A session runs `worker_threads` threads named "cassandra-io". Every function may be
 * called from any thread at any time, also for one session or statement from several, with two
 * exceptions: slc_close and the *_free functions must be the last call with their argument, and
 * blocking functions (marked so) answer SLC_USAGE inside of a `done` callback, because they would
 * wait for themselves there.
 *
 * Memory. What a function gives through a pointer to a pointer belongs to the caller, who returns
 * it by slc_close, slc_statement_free or slc_rows_free; after an error nothing is given and the
 * pointer is not written. Arguments are borrowed for the call, but for what slc_write says.
 *
 * Errors. Functions return SLC_OK or one of the kinds below, and fill `*error` if it is not NULL
 * (also with SLC_OK). Messages never hold bound values or passwords, but for a key that the server
 * may have put into its own text (SLC_DB). No exception comes out of a function, and none may come
 * out of a callback: it would end the process.
 *
 * Times are milliseconds; 0 means the default. Text is UTF-8.
 */
#ifndef SLUICE_CASSANDRA_BRIDGE_H
#define SLUICE_CASSANDRA_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What happened, and so what to do. */
enum SlcKind {
    SLC_OK = 0,
    /* The server answered with an error; `cql_code` says which, by native_protocol_v4.spec section
     * 9: 0x1000 unavailable, 0x1100 write timeout (outcome unknown), 0x2200 invalid, 0x2500 the
     * statement must be prepared again ... */
    SLC_DB = 1,
    /* No answer within the call's timeout: the outcome is unknown. */
    SLC_TIMEOUT = 2,
    /* No connection to a node, or lost while the answer was awaited, or the session was closed: the
     * outcome is unknown. The driver connects again by itself, within 10 s of the node's return. A
     * connection with over 1,024 requests that timed out is dropped, too. */
    SLC_CONNECTION = 3,
    /* Refused credentials (`cql_code` 0x0100), or the server wants some and there are none. */
    SLC_AUTH = 4,
    /* The caller's mistake: a null pointer, malformed cells, a part of a composite partition key
     * beyond 65,535 bytes. Nothing was sent; the same call fails again. */
    SLC_USAGE = 5,
    /* A bug in the bridge or the driver; the outcome is unknown. */
    SLC_PANIC = 6,
    /* The row never left this process: an earlier row of the call timed out, or the session was
     * being closed, or more than 32,768 requests were in flight on one connection. */
    SLC_NOT_SENT = 7
};

typedef struct SlcError {
    int32_t kind;     /* SlcKind */
    int32_t cql_code; /* the server's with SLC_DB and SLC_AUTH, else 0 (0 is also ServerError) */
    char message[1024]; /* ends with a 0; longer text is cut at a character's border */
} SlcError;

typedef struct SlcSession SlcSession;     /* connections and threads */
typedef struct SlcStatement SlcStatement; /* a prepared statement; outlives its session */
typedef struct SlcRows SlcRows;           /* a result, whole in memory; read it from any thread */

/* Zero the struct, then set `hosts`. Strings end with a 0. */
typedef struct SlcOptions {
    const char* const* hosts; /* "host:port"; one that answers is enough */
    size_t hosts_size;
    const char* username; /* both or neither */
    const char* password;
    const char* local_dc; /* send to this datacenter alone; NULL: to all alike */
    const char* application_name; /* shown in system_views.clients; may be NULL */
    uint32_t connect_timeout_ms;  /* slc_connect as a whole; default 10,000 */
    uint32_t request_timeout_ms;  /* where a call gives 0; default 10,000. A connection that stays
                                   * silent so long after a keepalive (each 5 s) is dropped */
    uint32_t connections_per_node; /* default 1: the fastest measured on two cores */
    uint32_t worker_threads;       /* default 1: likewise */
    uint16_t consistency; /* CQL's wire value; 0 means LOCAL_QUORUM (6), since ANY is not offered;
                           * SERIAL and LOCAL_SERIAL are refused */
} SlcOptions;

/* "scylla X.Y.Z": the driver. Lives for ever. */
const char* slc_version(void);

/* Blocking, at most connect_timeout_ms. SLC_AUTH and SLC_DB carry the server's text; SLC_CONNECTION
 * names the hosts (also when the time is up); SLC_USAGE: bad options, or no node is in local_dc.
 * Connections that break later come back by themselves. */
int32_t slc_connect(const SlcOptions* options, SlcSession** session, SlcError* error);

/* Blocking, at most deadline_ms (0: does not wait). Ends the writes under way: rows that were sent
 * fail with SLC_CONNECTION, the others with SLC_NOT_SENT, and each `done` has returned before this
 * does. If a `done` takes longer than the deadline this returns SLC_TIMEOUT; then such a `done`
 * still comes exactly once, later, and the memory it borrows must live until it did. The session is
 * gone in both cases. SLC_USAGE, inside of a callback: the session stays open. NULL is fine. */
int32_t slc_close(SlcSession* session, uint32_t deadline_ms);

/* Blocking. Prepares on every node; a node that forgot (a restart) is reminded by the driver. The
 * caller promises that the statement is idempotent. */
int32_t slc_prepare(SlcSession* session, const char* cql, size_t cql_size, uint32_t timeout_ms,
                    SlcStatement** statement, SlcError* error);

/* Writes under way keep what they need of it. NULL is fine. */
void slc_statement_free(SlcStatement* statement);

/* Cells, for each bind marker in its order in the statement: an int32_t in native byte order, then
 * that many bytes of the value as CQL encodes it. The length -1 is null, -2 is unset (the stored
 * value stays). No alignment is needed. */

/* Blocking. Executes once, unpaged; `cells` is exactly one row (may be NULL with size 0). `rows`
 * may be NULL; a statement that returns none gives a result of 0 rows and 0 columns. */
int32_t slc_execute(SlcSession* session, const SlcStatement* statement, const uint8_t* cells,
                    size_t cells_size, uint32_t timeout_ms, SlcRows** rows, SlcError* error);

/* Blocking. Executes CQL without values, unpaged: DDL and small reads. After DDL it waits, within
 * the timeout, until all nodes agree on the schema (SLC_TIMEOUT: the DDL may have been done). */
int32_t slc_query(SlcSession* session, const char* cql, size_t cql_size, uint32_t timeout_ms,
                  SlcRows** rows, SlcError* error);

typedef struct SlcRow {
    uint32_t statement;    /* index into SlcWrite.statements */
    uint32_t group;        /* neighbours with the same value go as one unlogged batch: they must
                            * have the same partition key. A group of one row goes as it is. */
    uint64_t cells_offset; /* where its cells begin in SlcWrite.cells, in bytes */
    uint64_t cells_size;   /* and how many bytes they have; more or fewer than the statement's
                            * markers take is an error */
} SlcRow;

typedef struct SlcWrite {
    const SlcStatement* const* statements;
    size_t statements_size;
    const uint8_t* cells;
    size_t cells_size;
    const SlcRow* rows;
    size_t rows_size;       /* at most 2^32 - 1; a group at most 65,535 */
    uint32_t in_flight_max; /* rows of this call awaiting an answer; default 512. A larger group
                             * goes alone. All calls together: at most 32,768 a connection. */
    uint32_t timeout_ms;    /* each row's or batch's, from when it starts */
} SlcWrite;

typedef struct SlcFailure {
    uint32_t row; /* index into SlcWrite.rows; a failed batch lists each of its rows */
    int32_t kind;
    int32_t cql_code;
    const char* message; /* `message_size` bytes, no 0 at the end; lives until `done` returns */
    size_t message_size;
} SlcFailure;

/* Rows that are not listed are durable at the session's consistency. Sorted by row. Runs on a
 * driver thread: be short (other writes wait), do not throw; slc_write may be called from it. */
typedef void (*SlcDone)(void* context, const SlcFailure* failures, size_t failures_size);

/* Does not block. SLC_OK: accepted, and `done` comes exactly once, possibly before this returns.
 * Anything else (SLC_USAGE: a null pointer; SLC_NOT_SENT: the session is being closed): `done`
 * never comes. What is wrong with one row (its statement's index, its cells) comes by `done`, as
 * that row's SLC_USAGE.
 *
 * `cells` and `rows` are borrowed until `done` has been called (in it they are free already);
 * `write` itself, its array of statements and the statements are not needed after the return.
 *
 * Rows start in order and end in any; several calls may be under way. After the first SLC_TIMEOUT
 * no further row of the call starts, so that a frozen server costs one timeout and not one for each
 * window: `done` comes at the latest timeout_ms after the last row started. */
int32_t slc_write(SlcSession* session, const SlcWrite* write, SlcDone done, void* context,
                  SlcError* error);

/* The cluster as the driver sees it at this moment, without asking it: one row a node with the
 * columns address (text, "ip:port"), datacenter, rack (text or null), up (one byte, 0 or 1: the
 * driver has a connection). For the choice of a replication factor. Does not block. */
int32_t slc_nodes(SlcSession* session, SlcRows** rows, SlcError* error);

size_t slc_rows_count(const SlcRows* rows);
size_t slc_rows_columns(const SlcRows* rows);

/* NULL and 0 if there is no such column. `size` bytes without a 0; lives as long as `rows`. */
const char* slc_rows_column_name(const SlcRows* rows, size_t column, size_t* size);

/* A cell's raw CQL bytes, alive as long as `rows`; null is NULL with the size -1. SLC_USAGE if
 * there is no such cell, with the same NULL and -1. `data` and `size` must not be NULL. */
int32_t slc_rows_cell(const SlcRows* rows, size_t row, size_t column, const uint8_t** data,
                      int32_t* size);

/* NULL is fine. */
void slc_rows_free(SlcRows* rows);

#ifdef __cplusplus
} /* extern "C" */

/* native/bridge/src/types.rs asserts the same sizes. */
static_assert(sizeof(SlcError) == 1032 && sizeof(SlcOptions) == 72 && sizeof(SlcRow) == 24 &&
                  sizeof(SlcWrite) == 56 && sizeof(SlcFailure) == 32,
              "this header and the library differ; 64-bit platforms only");
#endif

#endif
