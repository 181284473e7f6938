#include "server/control/grpc_server.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>
#include <sys/resource.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/tls/server_context.h"
#include "server/control/backdoor_service.h"
#include "server/control/connection_gate.h"
#include "server/control/grpc_services.h"
#include "server/control/health_service.h"
#include "server/control/operation_service.h"
#include "server/control/payload_service.h"
#include "server/control/raw_service.h"
#include "server/control/reflection_service.h"
#include "server/control/refused_tokens.h"
#include "server/control/spawn_service.h"
#include "server/control/watch_service.h"
#include "server/control/worker_gateway.h"
#include "server/line_limit.h"
#include "server/log.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

// What gRPC calls errors are mostly its clients' (a handshake that fails): they could fill the log.
constexpr absl::Duration kGrpcLineEvery = absl::Seconds(10);

void LogFromGrpc(gpr_log_func_args* args) {
  static LineLimit& errors = *new LineLimit(kGrpcLineEvery);
  std::optional<int64_t> lines;
  // The last words of a process are written in any case.
  const bool last = absl::StartsWith(args->message, "assertion failed");
  if (args->severity == GPR_LOG_SEVERITY_ERROR) lines = errors.Admit();
  Log(last || lines ? LogLevel::kWarning : LogLevel::kDebug, "grpc",
      {{"message", args->message},
       {"where", absl::StrCat(args->file, ":", args->line)},
       {"lines", lines.value_or(1)}});
}

// The one service here that is gRPC's own.
constexpr std::string_view kChannelz = "/grpc.channelz.";

// Guards it where tokens are needed; the others check their calls themselves and say what is
// wrong. Here a call can only be cut off: the client sees CANCELLED.
class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  TokenInterceptor(const GrpcContext& grpc, grpc::experimental::ServerRpcInfo* info)
      : grpc_(grpc), info_(info) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Point::POST_RECV_INITIAL_METADATA)) {
      const absl::Status status =
          Authorize(grpc_.authorizer, FindMethod(info_->method()), *info_->server_context(),
                    *methods->GetRecvInitialMetadata())
              .status();
      if (!status.ok()) return CutOff(status, methods);
    }
    methods->Proceed();
  }

 private:
  void CutOff(const absl::Status& status, grpc::experimental::InterceptorBatchMethods* methods) {
    auto cut_off = [info = info_, methods] {
      info->server_context()->TryCancel();
      methods->Proceed();
    };
    if (!absl::IsUnauthenticated(status)) return cut_off();
    grpc_.refused.Refuse(info_->server_context()->peer(), tasks::RefusalReason(status), cut_off);
  }

  const GrpcContext grpc_;
  grpc::experimental::ServerRpcInfo* const info_;
};

class TokenInterceptorFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit TokenInterceptorFactory(const GrpcContext& grpc) : grpc_(grpc) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    if (!std::string_view(info->method()).starts_with(kChannelz)) return nullptr;
    return new TokenInterceptor(grpc_, info);
  }

 private:
  const GrpcContext grpc_;
};

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.good() && !file.eof()) {
    return absl::InvalidArgumentError(absl::StrCat("control.tls: cannot read ", path));
  }
  return text;
}

grpc_ssl_client_certificate_request_type Demanded(const config::v1::ControlTls& tls) {
  switch (tls.client_certificate()) {
    case config::v1::ControlTls::DEMAND_OPTIONAL:
      return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    case config::v1::ControlTls::DEMAND_REQUIRED:
      return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    default:
      return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
  }
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(
    const config::v1::Control& config) {
  if (!config.has_tls()) return grpc::InsecureServerCredentials();
  const grpc_ssl_client_certificate_request_type demanded = Demanded(config.tls());
  const bool asks = demanded != GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
  // gRPC would tell each client, and not us.
  const absl::Status usable =
      TlsServerContext::Create({.certificates = {{.chain = config.tls().certificate_file(),
                                                  .key = config.tls().key_file()}},
                                .client_certificate = asks ? TlsClientCertificate::kOptional
                                                           : TlsClientCertificate::kNone,
                                .client_ca_file = asks ? config.tls().client_ca_file() : "",
                                .client_crl_file = asks ? config.tls().client_crl_file() : ""})
          .status();
  if (!usable.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("control.tls: ", usable.message()));
  }
  absl::StatusOr<std::string> certificate = ReadPem(config.tls().certificate_file());
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<std::string> key = ReadPem(config.tls().key_file());
  if (!key.ok()) return key.status();
  grpc::SslServerCredentialsOptions options(demanded);
  if (asks) {
    absl::StatusOr<std::string> authorities = ReadPem(config.tls().client_ca_file());
    if (!authorities.ok()) return authorities.status();
    options.pem_root_certs = *std::move(authorities);
  }
  options.pem_key_cert_pairs.push_back({*key, *certificate});
  return grpc::SslServerCredentials(options);
}

// control.connections_max, or what the process's limit leaves when all others have theirs.
size_t ConnectionsMax(const config::v1::Config& config) {
  const auto wanted = static_cast<size_t>(config.control().connections_max());
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  const size_t others = kDescriptorsOfControl + 2 * static_cast<size_t>(config.workers()) +
                        static_cast<size_t>(config.admin().connections_max()) +
                        kBackdoorSessionsMax;
  // Too few for all: a quarter.
  const size_t left =
      limit.rlim_cur > others + limit.rlim_cur / 4 ? limit.rlim_cur - others : limit.rlim_cur / 4;
  if (left >= wanted) return wanted;
  Log(LogLevel::kWarning,
      "RLIMIT_NOFILE leaves fewer gRPC connections than control.connections_max",
      {{"connections", left}, {"connections_max", wanted}, {"limit", limit.rlim_cur}});
  return left;
}

absl::StatusOr<std::unique_ptr<ConnectionGate>> BindGate(const config::v1::Config& config) {
  const std::string& listen = config.control().listen();
  absl::StatusOr<std::unique_ptr<ConnectionGate>> gate =
      ConnectionGate::Bind(listen, ConnectionsMax(config));
  if (gate.ok() || absl::IsInvalidArgument(gate.status())) return gate;
  return absl::UnavailableError(
      absl::StrCat("control.listen: cannot bind ", listen, ": ", gate.status().message()));
}

void Configure(const GrpcContext& grpc, const config::v1::Control& config,
               grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kReceiveBytesCut);
  builder.SetMaxSendMessageSize(kSendBytesMax);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             static_cast<int>(config.handshake_timeout_ms()));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             static_cast<int>(config.idle_timeout_ms()));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMinMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(std::make_unique<TokenInterceptorFactory>(grpc));
  builder.experimental().SetInterceptorCreators(std::move(creators));
}

// "grove.v1.TaskService" for every service that is served below `prefix`.
std::vector<std::string> ServiceNames(std::string_view prefix) {
  std::vector<std::string> names;
  for (const MethodRow& row : MethodTable()) {
    if (!row.method.starts_with(prefix)) continue;
    const std::string_view method = row.method.substr(1);
    std::string name(method.substr(0, method.find('/')));
    if (names.empty() || names.back() != name) names.push_back(std::move(name));
  }
  return names;
}

CallLanes::Options LanesOf(const GrpcServer::Parts& parts) {
  return {
      .waiting_max = static_cast<size_t>(parts.config.control().calls_waiting_max()),
      .post = [&hub = parts.hub](absl::AnyInvocable<void()> call) { hub.Post(std::move(call)); },
      .clock = &Clock::Monotonic()};
}

}  // namespace

struct GrpcServer::Server {
  explicit Server(const Parts& parts)
      : tokens(parts.tokens),
        tally(parts.scoreboard.series()),
        lanes(std::make_shared<CallLanes>(LanesOf(parts))),
        context{parts.hub, parts.authorizer, scope, parts.audit, refused, tally, *live, *lanes},
        health(ServiceNames("/grove.")),
        watches(context, parts.operations),
        spawns(context, parts.driver),
        task_watches(context, parts.driver),
        payloads(context, parts.driver, parts.payloads),
        gateway(context, parts.driver, parts.config.tasks().output_max_bytes()) {
    tokens.set_on_revoked([&hub = parts.hub, live = live](const tenancy::PrincipalPtr& principal) {
      hub.Post([live, principal] { live->End(principal); });
    });
  }
  ~Server() { tokens.set_on_revoked(nullptr); }

  tenancy::TokenBook& tokens;
  // Shared with what was posted to the hub.
  const std::shared_ptr<LiveCalls> live = std::make_shared<LiveCalls>();
  const ScopeCheck scope;
  RefusedTokens refused;
  RpcTally tally;
  const std::shared_ptr<CallLanes> lanes;
  const GrpcContext context;
  HealthService health;
  OperationWatches watches;
  SpawnStreams spawns;
  WatchStreams task_watches;
  PayloadStreams payloads;
  WorkerGateway gateway;
  RawService service;
  std::unique_ptr<ConnectionGate> gate;
  std::unique_ptr<grpc::Server> server;
};

GrpcServer::GrpcServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}

GrpcServer::~GrpcServer() = default;

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Parts& parts) {
  gpr_set_log_function(&LogFromGrpc);
  grpc::EnableDefaultHealthCheckService(false);
  grpc::channelz::experimental::InitChannelzService();

  const config::v1::Control& config = parts.config.control();
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials = Credentials(config);
  if (!credentials.ok()) return credentials.status();

  auto server = std::make_unique<Server>(parts);
  RawService& service = server->service;
  AddUnaryMethods(server->context,
                  {parts.driver, parts.tasks, parts.changes, parts.workers, parts.injections,
                   parts.operations, parts.tenant_calls, parts.token_calls, parts.limit_calls,
                   parts.schedules, parts.payload_calls},
                  service);
  AddBackdoorMethods(server->context, parts.config.run_dir(), parts.scoreboard, service);
  AddReflectionMethods(server->context, ServiceNames("/"), service);
  server->health.AddMethods(service);
  server->watches.AddMethods(service);
  server->spawns.AddMethods(service);
  server->task_watches.AddMethods(service);
  server->payloads.AddMethods(service);
  server->gateway.AddMethods(service);

  absl::StatusOr<std::unique_ptr<ConnectionGate>> gate = BindGate(parts.config);
  if (!gate.ok()) return gate.status();
  server->gate = *std::move(gate);

  grpc::ServerBuilder builder;
  Configure(server->context, config, builder);
  builder.RegisterService(&service);
  std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor =
      builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, *credentials);
  server->server = builder.BuildAndStart();
  if (server->server == nullptr) return absl::InternalError("control.listen: gRPC does not start");
  server->gate->Start([acceptor](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    acceptor->HandleNewConnection(&connection);
  });
  std::unique_ptr<GrpcServer> started(new GrpcServer(std::move(server)));
  started->address_ = started->server_->gate->address();
  return started;
}

void GrpcServer::StopServing() {
  server_->health.StopServing();
  server_->spawns.Drain();
  server_->gateway.Drain();
}

void GrpcServer::Shutdown(absl::Duration grace) {
  server_->gate->Stop();
  server_->health.EndWatches();
  server_->watches.EndAll();
  server_->spawns.EndAll();
  server_->task_watches.EndAll();
  server_->payloads.EndAll();
  server_->gateway.EndAll();
  server_->refused.AnswerAll();
  server_->server->Shutdown(absl::ToChronoTime(absl::Now() + grace));
}

WorkerGateway& GrpcServer::gateway() {
  return server_->gateway;
}

GrpcNumbers GrpcServer::numbers() const {
  return {.connections_open = server_->gate->open(),
          .connections_refused = server_->gate->refused(),
          .tokens_refused = server_->refused.total(),
          .calls_waiting = server_->lanes->waiting(),
          .calls_refused = server_->lanes->refused()};
}

}  // namespace grove::control
