#include "server/config/schema.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/effect.h"
#include "server/config/limits.h"

namespace grove::config {
namespace {

constexpr int64_t kDayMs = 24 * 60 * 60 * 1000;
constexpr int64_t kMib = int64_t{1} << 20;
constexpr int64_t kGib = int64_t{1} << 30;

constexpr SchemaRow Text(std::string_view key, std::string_view default_text,
                         std::string_view meaning) {
  return {key, "string", default_text, meaning};
}

constexpr SchemaRow Flag(std::string_view key, std::string_view meaning) {
  return {key, "boolean", "false", meaning};
}

constexpr SchemaRow Choice(std::string_view key, std::string_view choices,
                           std::string_view default_text, std::string_view meaning) {
  return {key, choices, default_text, meaning};
}

// Upper ends are where a larger number is more likely a slip than a wish.
constexpr SchemaRow Number(std::string_view key, int64_t default_value, int64_t min, int64_t max,
                           std::string_view meaning) {
  return {key, "integer", "", meaning, default_value, min, max};
}

// None if it is not given.
constexpr SchemaRow Bound(std::string_view key, int64_t max, std::string_view meaning) {
  return {key, "integer", "no bound", meaning, 0, 1, max};
}

// Keys, types and defaults are the application's.
constexpr SchemaRow Declared(std::string_view key, std::string_view meaning) {
  return {key, "declared", "declared", meaning};
}

constexpr std::string_view kRoles = "viewer | read | writer | write | operator | admin | debug";

constexpr SchemaRow kRows[] = {
    Text("http.listen", "127.0.0.1:8090",
         "plain HTTP listener: HOST:PORT, [IPV6]:PORT or unix:PATH"),
    Flag("http.insecure", "serve plain HTTP beyond loopback"),
    Text("http.listeners[].name", "none", "name of its socket in LISTEN_FDNAMES"),
    Text("http.listeners[].address", "required",
         "one more listener: HOST:PORT, [IPV6]:PORT or unix:PATH"),
    Text("http.listeners[].tls.certificates[].certificate_file", "no TLS",
         "PEM file with the certificate chain"),
    Text("http.listeners[].tls.certificates[].key_file", "no TLS",
         "PEM file with the private key, closed to others"),
    Text("http.listeners[].tls.certificates[].names[]", "those in the certificate",
         "host names that the certificate serves; the first serves all others"),
    Text("http.listeners[].tls.client_ca_file", "none",
         "PEM file of the authorities that clients' certificates must come from"),
    Choice("http.listeners[].tls.client_certificate", "none | optional | required", "none",
           "whether clients must show a certificate"),
    Text("http.listeners[].tls.version_min", "1.2", "oldest TLS version: 1.2 or 1.3"),
    Text("http.listeners[].tls.groups[]", "X25519, P-256, P-384",
         "groups of the key exchange, the dearest first"),
    Text("http.listeners[].tls.client_crl_file", "none",
         "PEM file with what these authorities have revoked"),
    Text("http.listeners[].proxy_protocol.trusted[]", "none",
         "CIDR ranges, or unix:, of balancers, which must send a PROXY header"),
    Flag("http.listeners[].insecure", "serve plain HTTP beyond loopback"),
    Text("http.listeners[].unix_mode", "what the umask leaves",
         "permission bits of a unix: address, in octal: 0660"),
    Number("http.listeners[].backlog", 4'096, 1, 1'000'000,
           "connections that wait to be accepted; the kernel's somaxconn bounds it"),
    Flag("http.listeners[].reuse_port", "a socket for each worker (SO_REUSEPORT), not one for all"),
    Flag("http.listeners[].accept_silent",
         "accept TCP connections at once, not with their first bytes (TCP_DEFER_ACCEPT)"),
    Text("http.routes[].method", "any", "method of the route, such as GET"),
    Text("http.routes[].path", "required",
         "path of the route: /hello, /users/{id}, /files/{path...}; the most specific wins"),
    Text("http.routes[].function", "required", "registered HTTP handler that answers"),
    Text("http.routes[].host", "any", "host of the route: example.org or *.example.org"),
    Flag("http.routes[].own_middleware_only", "leave out http.middleware"),
    Text("http.routes[].folder", "none",
         "folder that the handler file serves; relative to the config file's"),
    {"http.websocket.message_max_bytes", "integer", "the handler's; 1048576",
     "longer messages, also after inflation, close with 1009", 0, 1, kGib},
    {"http.websocket.ping_interval_ms", "integer", "the handler's; 30000",
     "a client that was silent for this long is sent a ping", 0, 1, kDayMs},
    {"http.websocket.pong_timeout_ms", "integer", "the handler's; 20000",
     "without a sign of life for this long after it, close with 1011", 0, 1, kDayMs},
    {"http.websocket.close_timeout_ms", "integer", "the handler's; 5000",
     "for the client's close frame after ours", 0, 1, kDayMs},
    Choice("http.websocket.compression", "none | deflate", "the handler's; deflate",
           "deflate: permessage-deflate for clients that offer it"),
    Text("http.websocket.origins[]", "the handler's; any",
         "other Origins get 403: https://example.org, or * for any"),
    Text("http.websocket.subprotocols[]", "the handler's; none",
         "the first of the client's that is among these is chosen"),
    Number("http.connections_max", 10'000, 1, 1'000'000, "open connections per worker"),
    Number("http.idle_timeout_ms", 75'000, 1, kDayMs, "idle keep-alive connections close after"),
    Number("http.header_timeout_ms", 10'000, 1, kDayMs,
           "from the first byte of a request to the end of its head"),
    Number("http.io_timeout_ms", 30'000, 1, kDayMs,
           "longest silence within a body, or of a client that takes no bytes"),
    Number("http.body_max_bytes", 8 * kMib, 1, 4 * kGib, "larger request bodies get 413"),
    Text("http.middleware[].request_id.trusted[]", "none",
         "CIDR ranges, or unix:, of peers whose X-Request-Id is taken over"),
    Text("http.middleware[].real_client.trusted[]", "required",
         "CIDR ranges, or unix:, of the proxies in front"),
    Choice("http.middleware[].real_client.source", "x_forwarded_for | forwarded", "x_forwarded_for",
           "the field that the proxies write"),
    {"http.middleware[].rate_limit.requests_per_second", "integer", "this or requests_per_minute",
     "requests of one key, per worker; 429 beyond", 0, 1, 1'000'000},
    {"http.middleware[].rate_limit.requests_per_minute", "integer", "this or requests_per_second",
     "the same for slower ones", 0, 1, 1'000'000},
    {"http.middleware[].rate_limit.burst", "integer", "those of one second, or minute",
     "requests at once after a pause", 0, 1, 1'000'000},
    Choice("http.middleware[].rate_limit.key", "client | tenant | token | header | route", "client",
           "what requests are counted by; route: all together"),
    Text("http.middleware[].rate_limit.header", "none", "the field that `key: header` counts by"),
    Number("http.middleware[].rate_limit.keys_max", 65'536, 1, 10'000'000,
           "keys remembered per worker; the longest unseen is forgotten first"),
    Flag("http.middleware[].rate_limit.fields", "send the RateLimit fields"),
    Number("http.middleware[].body_limit.bytes_max", kMib, 1, 4 * kGib,
           "larger request bodies get 413; http.body_max_bytes holds besides"),
    Number("http.middleware[].time_limit.timeout_ms", 30'000, 1, kDayMs,
           "a handler that takes longer is stopped"),
    Number("http.middleware[].time_limit.status", 504, 503, 504, "what its client gets"),
    Text("http.middleware[].cors.origins[]", "required",
         "origins whose pages may use the route: https://a.org, https://*.a.org or *"),
    Text("http.middleware[].cors.methods[]", "GET, HEAD, POST", "methods that pages may use"),
    Text("http.middleware[].cors.request_headers[]", "none",
         "fields that pages may send beyond the safelisted ones, or *"),
    Text("http.middleware[].cors.response_headers[]", "none", "fields that pages may read"),
    Flag("http.middleware[].cors.credentials", "with cookies; excludes *"),
    Number("http.middleware[].cors.max_age_s", 600, 1, 86'400,
           "seconds that browsers keep a preflight's answer"),
    Number("http.middleware[].gzip.bytes_min", 1'024, 1, kGib, "shorter bodies stay plain"),
    Text("http.middleware[].gzip.types[]",
         "text/*, application/json, application/javascript, application/xml, image/svg+xml",
         "content types that are compressed"),
    Number("http.middleware[].gzip.level", 5, 1, 9, "1, fast, to 9, small"),
    Text("http.middleware[].bearer_auth.tokens[].name", "required", "name of the token"),
    Text("http.middleware[].bearer_auth.tokens[].secret_file", "required",
         "file with the secret in its first line, 16 bytes or more, closed to others"),
    Text("http.middleware[].bearer_auth.realm", "grove", "what the 401 asks to log in to"),
    Text("http.middleware[].tenant.rules[].host", "none",
         "applies to this host; *.example.org: its labels name the tenant"),
    Text("http.middleware[].tenant.rules[].path_prefix", "none",
         "applies below this path; the next segment names the tenant"),
    Text("http.middleware[].tenant.rules[].header", "none",
         "applies to requests with this field; its value names the tenant"),
    Text("http.middleware[].tenant.rules[].token", "none",
         "applies to requests with this token of bearer_auth"),
    Text("http.middleware[].tenant.rules[].certificate", "none",
         "applies to clients with this name in their certificate: CN:, DNS:, URI:, email: or "
         "SHA256: and a text, whose * names the tenant"),
    Text("http.middleware[].tenant.rules[].tenant", "what the request names",
         "one of `tenants`; 403 for any other"),
    Flag("http.middleware[].tenant.required", "403 where no rule applies"),
    Text("http.middleware[].own.name", "required", "middleware of the application's code"),
    Declared("http.middleware[].own.options.*", "what its code declares as options"),
    Number("http.body_rate_min_bytes_per_s", 100, 1, kGib,
           "slower request bodies, on average over io_timeout_ms, get 408"),
    Number("http.lingering_time_ms", 30'000, 1, kDayMs,
           "what a client sends after an early answer is read and dropped for at most"),
    Number("http.lingering_timeout_ms", 5'000, 1, kDayMs, "and no longer than a silence of"),
    Number("http.websocket_memory_max_bytes", 64 * kMib, kMib, 64 * kGib,
           "unfinished WebSocket messages per worker; 1013 to the connection that passes it"),
    Flag("http.raw_utf8_targets", "let bytes from 0x80 on stand in targets; else 400"),
    Number("http.requests_per_connection_max", 1'000'000, 1, 1'000'000'000,
           "answered on one connection, which is then closed"),

    Text("http.access_log.file", "no access log",
         "a line for each request goes here; relative to the config file's folder; -: stdout"),
    Text("http.access_log.format", "eventlet's", "form of a line: %(client_ip)s, %(status_code)s"),
    Flag("http.access_log.json", "a JSON object a line, instead of format"),
    Number("http.access_log.queue_max_bytes", kMib, 4'096, kGib,
           "lines that wait for the disk, per worker; more are dropped"),

    Text("control.listen", "127.0.0.1:8091", "gRPC listener"),
    Flag("control.insecure", "serve plain, open gRPC beyond loopback"),
    Text("control.tls.certificate_file", "no TLS", "PEM file with the certificate chain"),
    Text("control.tls.key_file", "no TLS", "PEM file with the private key"),
    Text("control.tls.client_ca_file", "none",
         "PEM file of the authorities that clients' certificates must come from"),
    Choice("control.tls.client_certificate", "none | optional | required",
           "optional with client_ca_file, else none", "whether clients must show a certificate"),
    Text("control.tls.roles[].certificate", "required",
         "CN:, DNS:, URI:, email: or SHA256: and a name; * stands for any part, or the tenant"),
    Choice("control.tls.roles[].role", kRoles, "required", "as of a token"),
    Text("control.tls.roles[].tenant", "what * names, else the operators",
         "one of `tenants`, or `default`: nothing else exists for it"),
    Text("control.tls.client_crl_file", "none",
         "PEM file with what these authorities have revoked"),
    Text("control.tokens[].name", "required", "name of the token in the audit log"),
    Text("control.tokens[].secret_file", "required",
         "file with the secret in its first line, 16 bytes or more, closed to others"),
    Choice("control.tokens[].role", kRoles, "required",
           "viewer: get, list, wait; writer: and spawn, cancel; operator: and resize pools, reload "
           "and the like; admin: all; debug: view, and the backdoor; read is viewer, write writer"),
    Text("control.tokens[].tenant", "the operators",
         "one of `tenants`, or `default`: nothing else exists for it"),
    Text("control.tokens[].expire_time", "never",
         "time in RFC 3339 from when on it holds no more: 2027-01-31T00:00:00Z"),
    Choice("control.tokens[].roles[]", kRoles, "none", "roles beside `role`, or instead of it"),

    Number("control.connections_max", 1'000, 1, 1'000'000, "open gRPC connections"),
    Number("control.calls_waiting_max", 10'000, 1, 1'000'000,
           "calls of tenants that wait for their turn; further ones are refused"),
    Number("control.handshake_timeout_ms", 10'000, 1, kDayMs,
           "from a gRPC connection to the end of its handshakes"),
    Number("control.idle_timeout_ms", 600'000, 1, kDayMs,
           "gRPC connections without a call close after"),

    Text("audit.file", "audit.log",
         "a JSON line for each change goes here; relative to state_dir; -: the daemon's log"),
    Number("audit.file_max_bytes", 64 * kMib, 4'096, 64 * kGib,
           "the file is renamed to FILE.1 from here on, that one to FILE.2 and so on"),
    Number("audit.files_max", 10, 1, 1'000, "older files that are kept"),

    Text("admin.listen", "127.0.0.1:8092", "listener for metrics, health and dashboard"),
    Flag("admin.insecure", "serve the admin port beyond loopback without TLS and tokens"),
    Number("admin.connections_max", 256, 1, 100'000,
           "open connections; the longest waiting for a request makes room"),

    Text("admin.tls.certificate_file", "no TLS",
         "PEM file with the admin port's certificate chain"),
    Text("admin.tls.key_file", "no TLS", "PEM file with its private key, closed to others"),
    Text("admin.tokens[].name", "required", "name of the token in the audit log"),
    Text("admin.tokens[].secret_file", "required",
         "file with the secret in its first line, 16 bytes or more, closed to others"),
    Choice("admin.tokens[].role", kRoles, "required",
           "viewer: /metrics and /debug; the others may no more"),
    Text("admin.tokens[].tenant", "the operators",
         "one of `tenants`, or `default`: its metrics, pools, queues and fibers alone"),
    Text("admin.tokens[].expire_time", "never",
         "time in RFC 3339 from when on it holds no more: 2027-01-31T00:00:00Z"),
    Choice("admin.tokens[].roles[]", kRoles, "none", "roles beside `role`, or instead of it"),
    {"workers", "integer", "the CPUs allowed", "worker processes", 0, 1, kWorkersMax},
    Text("state_dir", "$XDG_STATE_HOME/grove, else ~/.local/state/grove",
         "directory of what survives a restart"),
    Text("run_dir", "$XDG_RUNTIME_DIR/grove, else run below state_dir",
         "directory of the workers' UNIX sockets"),
    Number("drain_timeout_ms", 30'000, 1, kDayMs, "to finish requests and tasks after SIGTERM"),

    Choice("log.format", "text | json", "text", "form of a log line"),
    Choice("log.level", "debug | info | warning | error", "info", "least severity logged"),

    Text("fetch.allow[]", "none", "CIDR ranges that fetches may reach although not public"),
    Number("fetch.body_max_bytes", 4 * kMib, 1, kGib, "response body"),
    Number("fetch.timeout_ms", 30'000, 1, kDayMs, "whole fetch, redirects included"),
    Number("fetch.redirects_max", 5, 1, 100, "redirects followed"),
    Number("fetch.concurrency_max", 256, 1, 100'000, "fetches at once per worker"),
    Number("fetch.per_origin.concurrency_max", 16, 1, 1'000'000,
           "http.request of a tenant to an origin at once, over all workers; others come again"),
    Bound("fetch.per_origin.requests_per_second", 1'000'000, "the same in time; or by minute"),
    Bound("fetch.per_origin.requests_per_minute", 60'000'000, "the same in time; or by second"),
    {"fetch.per_origin.burst", "integer", "those of one second, or minute",
     "requests at once after a pause", 0, 1, 1'000'000},
    Number("fetch.per_origin.breaker_failures", 5, 1, 1'000'000'000,
           "failures in a row after which the origin is left alone"),
    Number("fetch.per_origin.breaker_open_ms", 30'000, 1, kDayMs,
           "for so long; twice as long after each failed trial, up to ten times"),
    Text("fetch.origins[].pattern", "required",
         "bounds of its own for https://api.example.org, http://*.example.org:8080 or https://*"),
    {"fetch.origins[].concurrency_max", "integer", "per_origin's",
     "as fetch.per_origin.concurrency_max", 0, 1, 1'000'000},
    {"fetch.origins[].requests_per_second", "integer", "per_origin's",
     "or requests_per_minute; either replaces both", 0, 1, 1'000'000},
    {"fetch.origins[].requests_per_minute", "integer", "per_origin's",
     "or requests_per_second; either replaces both", 0, 1, 60'000'000},
    {"fetch.origins[].burst", "integer", "those of one second, or minute",
     "requests at once after a pause", 0, 1, 1'000'000},
    {"fetch.origins[].breaker_failures", "integer", "per_origin's",
     "as fetch.per_origin.breaker_failures", 0, 1, 1'000'000'000},
    {"fetch.origins[].breaker_open_ms", "integer", "per_origin's",
     "as fetch.per_origin.breaker_open_ms", 0, 1, kDayMs},
    Text("fetch.secrets[].name", "required", "name by which http.request signs with it"),
    Text("fetch.secrets[].tenant", "default", "one of `tenants`, whose tasks alone may use it"),
    Text("fetch.secrets[].secret_file", "required",
         "file with the secret in its first line, 16 bytes or more, closed to others"),

    Number("tasks.input_max_bytes", kMib, 1, kGib, "input of a task"),
    Number("tasks.output_max_bytes", 2 * kMib, 1, kGib, "output of a task"),
    Number("tasks.running_max_per_worker", 10'000, 1, 1'000'000, "attempts at once per worker"),
    Number("tasks.retention_ms", 3'600'000, 1, 3650 * kDayMs, "ended tasks are kept this long"),
    Number("tasks.retained_max", 100'000, 1, 100'000'000, "ended tasks kept at most"),
    Number("tasks.default_timeout_ms", 300'000, 1, 365 * kDayMs,
           "an attempt without a time-out of its own ends after"),
    Number("tasks.interruptions_max", 5, 1, 1'000,
           "a task whose worker died this often fails instead of being requeued"),
    {"tasks.memory_max_bytes", "integer", "a quarter of the memory allowed, 2147483648 at most",
     "what control may hold of tasks; spawns are refused beyond", 0, kMib, 1024 * kGib},
    Number("tasks.disk_reserve_bytes", 64 * kMib, kMib, 1024 * kGib,
           "free below it, or below a tenth of the volume: durable tasks are refused"),
    Number("tasks.ageing_ms", 60'000, 1, 365 * kDayMs,
           "a task of a PRIORITY queue counts as one of the next priority after"),
    Number("tasks.dead_letter_retention_ms", 7 * kDayMs, 1, 3650 * kDayMs,
           "tasks that failed or timed out are kept this long"),
    Text("tasks.webhook_secret_file", "webhooks are not signed",
         "file with the secret that signs webhooks in its first line, closed to others"),
    Number("tasks.payload_max_bytes", 4 * kGib, 1, 1024 * kGib, "one payload"),
    Number("tasks.payloads_max_bytes", 16 * kGib, 1, int64_t{1} << 50,
           "all payloads; further ones are refused"),
    Number("tasks.payload_retention_ms", kDayMs, 1'000, 3650 * kDayMs,
           "a payload that no task names is kept this long"),

    Text("tenants[].name", "required", "name of the tenant; `default` always exists"),
    Number("tenants[].weight", 100, 1, 100'000,
           "per cent of another's worker time, where tasks of several tenants wait for it"),
    Bound("tenants[].quotas.running_max", 1'000'000, "slots that the tenant's running tasks take"),
    Bound("tenants[].quotas.queued_max", 100'000'000, "tasks of the tenant that wait"),
    Bound("tenants[].quotas.queued_bytes_max", int64_t{1} << 50, "inputs of tasks that wait"),
    Bound("tenants[].quotas.spawns_per_second", 1'000'000, "spawns; or by minute"),
    Bound("tenants[].quotas.spawns_per_minute", 60'000'000, "spawns; or by second"),
    {"tenants[].quotas.spawn_burst", "integer", "those of one second, or minute",
     "spawns at once after a pause", 0, 1, 100'000'000},
    Bound("tenants[].quotas.output_bytes_max", kGib, "output of a task"),
    Bound("tenants[].quotas.http_requests_max", 1'000'000, "HTTP requests at once; 429 beyond"),
    Bound("tenants[].quotas.http_requests_per_second", 10'000'000,
          "HTTP requests; or by minute; 429 beyond"),
    Bound("tenants[].quotas.http_requests_per_minute", 600'000'000,
          "HTTP requests; or by second; 429 beyond"),
    {"tenants[].quotas.http_burst", "integer", "those of one second, or minute",
     "HTTP requests at once after a pause", 0, 1, 1'000'000'000},
    Bound("tenants[].quotas.fetches_max", 1'000'000, "outgoing HTTP requests at once"),
    Bound("tenants[].quotas.payload_bytes_max", int64_t{1} << 50, "payloads on disk"),
    Text("tenants[].limits[].pattern", "required",
         "limit keys: `customer-7`, `customer-*`, `customer-*/report`"),
    Bound("tenants[].limits[].running_max", 1'000'000, "slots that running tasks of a key take"),
    Bound("tenants[].limits[].queued_max", 100'000'000, "tasks of a key that wait"),
    Bound("tenants[].limits[].spawns_per_second", 1'000'000, "spawns of a key; or by minute"),
    Bound("tenants[].limits[].spawns_per_minute", 60'000'000, "spawns of a key; or by second"),
    {"tenants[].limits[].spawn_burst", "integer", "those of one second, or minute",
     "spawns of a key at once after a pause", 0, 1, 100'000'000},
    Text("tenants[].queues[].name", "required", "name of the queue; `default` always exists"),
    Choice("tenants[].queues[].order", "fifo | lifo | priority", "fifo", "order of the backlog"),
    Text("tenants[].queues[].pool", "default", "pool of the same tenant that the queue feeds"),
    Number("tenants[].queues[].depth_max", 1'000'000, 1, 100'000'000, "tasks waiting at most"),
    Flag("tenants[].queues[].paused", "start without dispatching"),
    {"tenants[].queues[].retention_ms", "integer", "tasks.retention_ms",
     "ended tasks are kept this long", 0, 1, 3650 * kDayMs},
    {"tenants[].queues[].dead_letter_retention_ms", "integer", "tasks.dead_letter_retention_ms",
     "tasks that failed or timed out are kept this long", 0, 1, 3650 * kDayMs},
    Text("tenants[].pools[].name", "required", "name of the pool; `default` always exists"),
    Number("tenants[].pools[].size", 1'000, 1, 1'000'000, "tasks running at once"),

    Number("backdoor.instructions_max", 10'000'000, 1'000, 1'000'000'000'000,
           "Lua instructions, and steps of its library, per line"),
    Number("backdoor.time_max_ms", 1'000, 1, 600'000, "time per line"),
    Number("backdoor.memory_max_bytes", 16 * kMib, kMib, kGib, "Lua heap per session"),
    Number("backdoor.output_max_bytes", 262'144, 1'024, 64 * kMib, "printed per line"),
    Number("backdoor.sessions_max", 8, 1, 1'000, "sessions at once per worker"),

    {"runtime.stack_bytes", "integer", "65536; 262144 for fibers of tasks and requests",
     "stack reserved per fiber", 0, 16'384, kGib},
    Number("runtime.fibers_max", 1'000'000, 100, 100'000'000, "live fibers per worker"),
    Number("runtime.offload_threads", 8, 1, 1'024, "threads for blocking calls per worker"),
    Number("runtime.stall_report_ms", 100, 4, kDayMs,
           "a fiber that holds a worker's hub for longer is reported"),
    Number("runtime.stuck_ms", 5'000, 100, kDayMs,
           "a worker or control whose hub has not turned for this long is stuck"),
    Number("runtime.stuck_kill_ms", 30'000, 0, kDayMs,
           "and is killed and replaced after this; 0: never"),
    Number("runtime.boot_timeout_ms", 60'000, 100, kDayMs,
           "a worker or control that does not serve by then is killed and replaced"),
    {"recycle.max_requests", "integer", "never",
     "a worker is replaced after so many HTTP requests and attempts of tasks", 0, 1,
     1'000'000'000'000},
    {"recycle.max_age_ms", "integer", "never", "a worker is replaced at this age", 0, 1'000,
     366 * kDayMs},
    {"recycle.max_rss_bytes", "integer", "never",
     "a worker is replaced when it has so much resident memory", 0, kMib, 1024 * kGib},
    Number("recycle.jitter_percent", 10, 0, 100,
           "each worker's bounds are lower by a random part, up to this"),
    Number("shared_table.rows_max", 1'024, 0, 1'000'000,
           "rows, and locks, that the workers share; 0: none"),
    Number("shared_table.value_max_bytes", 1'024, 64, 65'536, "of the value of one row"),
    Text("include[]", "none", "more config files, relative to this one: config.d/*.yaml"),
    Number("metrics.tenants_max", 100, 1, 10'000, "tenants with series of their own on /metrics"),
    Number("metrics.routes_max", 100, 1, 10'000,
           "routes of HTTP with series of their own on /metrics"),
    Number("metrics.names_max", 200, 1, 10'000,
           "functions, queues and pools, each, with series of their own on /metrics"),
    Text("tracing.endpoint", "nothing is traced",
         "spans go here by OTLP over HTTP, as JSON: http://127.0.0.1:4318/v1/traces"),
    Number("tracing.sampled_per_million", 1'000'000, 0, 1'000'000,
           "of a million traces that begin here, those that are told"),
    Text("tracing.headers[].name", "required", "name of a field of each call to the collector"),
    Text("tracing.headers[].secret_file", "required",
         "file with its value in its first line, 16 bytes or more, closed to others"),
    Number("tracing.batch_max", 512, 1, 10'000, "spans of one call to the collector"),
    Number("tracing.batch_delay_ms", 1'000, 1, kDayMs, "a batch that is not full leaves after"),
    Number("tracing.queue_max", 8'192, 1, 1'000'000,
           "spans that wait, per worker; further ones are dropped"),
    Number("tracing.timeout_ms", 10'000, 1, kDayMs, "of one call to the collector"),
    Text("tracing.service_name", "the application's name", "service.name of all spans"),
    Declared("application.*", "what the application's code declares; its --help lists it"),
};

// What a route says for itself has the keys of what is said for all.
constexpr std::pair<std::string_view, std::string_view> kSharedRows[] = {
    {"http.routes[].middleware[].", "http.middleware[]."},
    {"http.routes[].websocket.", "http.websocket."},
};

}  // namespace

std::string WithoutIndices(std::string_view key) {
  std::string plain;
  bool inside = false;
  for (const char c : key) {
    if (c == ']') inside = false;
    if (!inside) plain.push_back(c);
    if (c == '[') inside = true;
  }
  return plain;
}

absl::Span<const SchemaRow> DescribeSchema() {
  return kRows;
}

const SchemaRow* FindSchemaRow(std::string_view key) {
  std::string plain = WithoutIndices(key);
  for (const auto& [own, all] : kSharedRows) {
    if (plain.starts_with(own)) plain = StrCat(all, plain.substr(own.size()));
  }
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                 [&plain](const SchemaRow& r) { return r.key == plain; });
  return row == std::end(kRows) ? nullptr : row;
}

std::string FormatDefault(const SchemaRow& row) {
  return row.default_text.empty() ? StrCat(row.default_value) : std::string(row.default_text);
}

std::string FormatSchema() {
  std::string out =
      "Keys of the config file (YAML; a.b is key b within a, [] an entry of a list):\n";
  for (const SchemaRow& row : kRows) {
    absl::StrAppendFormat(&out, "\n  %s  (%s", row.key, row.type);
    if (row.max != 0) absl::StrAppendFormat(&out, ", %d to %d", row.min, row.max);
    absl::StrAppendFormat(&out, ")\n      %s\n      default: %s\n      a change: %s\n", row.meaning,
                          FormatDefault(row), EffectName(EffectOf(row.key)));
  }
  absl::StrAppendFormat(&out,
                        "\nhttp.routes[].middleware[] has the keys of http.middleware[], and "
                        "http.routes[].websocket those of http.websocket.\n");
  return out;
}

}  // namespace grove::config
