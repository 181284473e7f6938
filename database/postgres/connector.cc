#include "database/postgres/connector.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "database/postgres/wire.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::postgres {
namespace {

constexpr const char* kTlsModes[] = {"disable", "prefer", "require", "verify-ca", "verify-full"};
constexpr const char* kSessions[] = {"any", "read-write", "read-only", "primary", "standby"};

// What libpq is told of a connection.
class Keywords {
 public:
  Keywords(const HostPort& host, const std::string& address, const ConnectionOptions& options) {
    Add("host", host.host);
    Add("hostaddr", address);
    Add("port", std::to_string(host.port));
    Add("dbname", options.database);
    Add("user", options.user);
    Add("password", options.password);
    Add("application_name", options.application_name);
    Add("sslmode", kTlsModes[static_cast<size_t>(options.tls)]);
    Add("sslrootcert", options.ca_file);
    Add("sslcert", options.certificate_file);
    Add("sslkey", options.key_file);
    Add("target_session_attrs", kSessions[static_cast<size_t>(options.session)]);
    Add("client_encoding", "UTF8");
    // Kerberos would ask its servers on the hub's thread.
    Add("gssencmode", "disable");
    Add("options", Settings(options));
  }
  PGconn* Start() const {
    std::vector<const char*> keys;
    std::vector<const char*> values;
    for (const auto& [key, value] : pairs_) {
      keys.push_back(key);
      values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    constexpr int kNoExpansion = 0;
    return PQconnectStartParams(keys.data(), values.data(), kNoExpansion);
  }

 private:
  void Add(const char* key, std::string value) {
    if (!value.empty()) pairs_.emplace_back(key, std::move(value));
  }
  // "-c key=value", where a backslash stands before what would end it.
  static std::string Settings(const ConnectionOptions& options) {
    std::string text;
    for (const auto& [key, value] : options.settings) {
      StrAppend(&text, text.empty() ? "-c " : " -c ", key, "=");
      for (const char byte : value) {
        if (byte == '\\' || absl::ascii_isspace(static_cast<unsigned char>(byte))) text += '\\';
        text += byte;
      }
    }
    return text;
  }
  std::vector<std::pair<const char*, std::string>> pairs_;
};

// "FATAL:  28P01: password …" of a message with all its words: the state.
std::string StateIn(std::string_view text) {
  for (size_t at = text.find(":  "); at != std::string_view::npos; at = text.find(":  ", at + 1)) {
    const std::string_view state = text.substr(at + 3, 6);
    if (state.size() != 6 || state[5] != ':') continue;
    bool whole = true;
    for (const char byte : state.substr(0, 5)) {
      whole &= absl::ascii_isdigit(static_cast<unsigned char>(byte)) ||
               absl::ascii_isupper(static_cast<unsigned char>(byte));
    }
    if (whole) return std::string(state.substr(0, 5));
  }
  return "";
}

absl::Status ConnectError(PGconn* conn) {
  std::string text = PQerrorMessage(conn);
  if (const size_t location = text.find("\nLOCATION:"); location != std::string::npos) {
    text.resize(location);
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& byte : text) byte = byte == '\n' ? ' ' : byte;
  const std::string state = StateIn(text);
  if (!state.empty()) return SqlErrorStatus({.sqlstate = state, .message = text});
  if (PQconnectionNeedsPassword(conn) != 0) return absl::UnauthenticatedError(text);
  return absl::UnavailableError(text);
}

// Notices of the greeting: libpq would print them.
void Drop(void* /*nothing*/, const PGresult* /*notice*/) {}

absl::Status Poll(Wire& wire) {
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
    if (absl::Status adopted = wire.Adopt(); !adopted.ok()) return adopted;
    absl::Status ready = wire.AwaitReady(next == PGRES_POLLING_READING);
    // libpq may close it and open another of the same number.
    wire.Disown();
    if (!ready.ok()) return ready;
    next = PQconnectPoll(wire.conn());
  }
  if (next != PGRES_POLLING_OK) return ConnectError(wire.conn());
  if (PQsetnonblocking(wire.conn(), 1) != 0) return wire.Error();
  return wire.Adopt();
}

// Of a scope's own end: `what` was not there in time.
absl::Status OwnTimeout(const Timeout& scope, absl::Status status, absl::Duration after) {
  if (!scope.Caused(status)) return status;
  return absl::UnavailableError(
      absl::StrFormat("no connection within %s", absl::FormatDuration(after)));
}

// Whether another host may do better.
bool WorthAnotherHost(const absl::Status& status) {
  return !absl::IsUnauthenticated(status) && !absl::IsCancelled(status) &&
         !absl::IsDeadlineExceeded(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connector>> Connector::Create(ResolverOptions resolver) {
  auto services = std::make_shared<Services>();
  absl::StatusOr<std::unique_ptr<Resolver>> made = Resolver::Create(std::move(resolver));
  if (!made.ok()) return made.status();
  services->resolver = *std::move(made);
  return std::unique_ptr<Connector>(new Connector(std::move(services)));
}

absl::StatusOr<std::unique_ptr<Wire>> Connector::TryAddress(const HostPort& host,
                                                            const std::string& address,
                                                            const ConnectionOptions& options) {
  PGconn* const conn = Keywords(host, address, options).Start();
  if (conn == nullptr) return absl::ResourceExhaustedError("no memory for a connection");
  auto wire = std::make_unique<Wire>(services_, conn);
  if (PQstatus(conn) == CONNECTION_BAD) return ConnectError(conn);
  PQsetNoticeReceiver(conn, Drop, nullptr);
  PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
  Timeout attempt(options.attempt_timeout);
  if (absl::Status polled = Poll(*wire); !polled.ok()) {
    return OwnTimeout(attempt, std::move(polled), options.attempt_timeout);
  }
  PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
  return wire;
}

absl::StatusOr<std::unique_ptr<Wire>> Connector::TryHost(const HostPort& host,
                                                         const ConnectionOptions& options) {
  if (host.host.starts_with('/')) return TryAddress(host, "", options);
  absl::StatusOr<std::vector<SocketAddress>> addresses =
      services_->resolver->Resolve(host.host, host.port);
  if (!addresses.ok()) return addresses.status();
  absl::Status last;
  for (const SocketAddress& address : *addresses) {
    absl::StatusOr<std::unique_ptr<Wire>> wire =
        TryAddress(host, address.host()->ToString(), options);
    if (wire.ok() || !WorthAnotherHost(wire.status())) return wire;
    last = wire.status();
  }
  return last;
}

absl::StatusOr<std::unique_ptr<Wire>> Connector::Open(const ConnectionOptions& options) {
  if (options.hosts.empty()) return absl::InvalidArgumentError("PostgreSQL: no host is named");
  Timeout all(options.connect_timeout);
  std::string others;
  for (const HostPort& host : options.hosts) {
    absl::StatusOr<std::unique_ptr<Wire>> wire = TryHost(host, options);
    if (wire.ok()) {
      ++services_->stats.connects;
      return wire;
    }
    absl::Status failed = OwnTimeout(all, wire.status(), options.connect_timeout);
    if (&host == &options.hosts.back() || !WorthAnotherHost(failed) || all.fired()) {
      ++services_->stats.connect_failures;
      absl::Status told(failed.code(), StrCat("PostgreSQL at ", host.host, " port ", host.port,
                                              ": ", Std(failed.message()), others));
      failed.ForEachPayload(
          [&told](auto url, const absl::Cord& payload) { told.SetPayload(url, payload); });
      return told;
    }
    StrAppend(&others, "; before, ", host.host, " port ", host.port, ": ", Std(failed.message()));
  }
  return absl::InternalError("unreachable");
}

absl::StatusOr<std::unique_ptr<Connection>> Connector::Connect(const ConnectionOptions& options) {
  absl::StatusOr<std::unique_ptr<Wire>> wire = Open(options);
  if (!wire.ok()) return wire.status();
  return std::make_unique<Connection>(options, *std::move(wire));
}

}  // namespace grove::postgres
