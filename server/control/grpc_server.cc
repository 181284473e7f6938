#include "server/control/grpc_server.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/io/listener.h"
#include "server/control/backdoor_service.h"
#include "server/control/grpc_services.h"
#include "server/control/health_service.h"
#include "server/control/raw_service.h"
#include "server/control/reflection_service.h"
#include "server/control/refused_tokens.h"
#include "server/log.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

// While the port is bound, gRPC's own complaints would repeat ours in many lines.
std::atomic<bool> binding{false};

void LogFromGrpc(gpr_log_func_args* args) {
  const bool error = args->severity == GPR_LOG_SEVERITY_ERROR && !binding;
  Log(error ? LogLevel::kWarning : LogLevel::kDebug, "grpc",
      {{"message", args->message}, {"where", absl::StrCat(args->file, ":", args->line)}});
}

// The one service here that is gRPC's own.
constexpr std::string_view kChannelz = "/grpc.channelz.";

// Guards it where tokens are configured; the others check their calls themselves and say what is
// wrong. Here a call can only be cut off: the client sees CANCELLED.
class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  TokenInterceptor(const GrpcContext& grpc, grpc::experimental::ServerRpcInfo* info)
      : grpc_(grpc), info_(info) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Point::POST_RECV_INITIAL_METADATA)) {
      auto* metadata = methods->GetRecvInitialMetadata();
      auto found = metadata->find("authorization");
      const std::string_view authorization =
          found == metadata->end() ? std::string_view()
                                   : std::string_view(found->second.data(), found->second.size());
      const absl::Status status =
          grpc_.authorizer.Authorize(FindMethod(info_->method()), authorization).status();
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

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(
    const config::v1::Control& config) {
  if (!config.has_tls()) return grpc::InsecureServerCredentials();
  absl::StatusOr<std::string> certificate = ReadPem(config.tls().certificate_file());
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<std::string> key = ReadPem(config.tls().key_file());
  if (!key.ok()) return key.status();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({*key, *certificate});
  return grpc::SslServerCredentials(options);
}

// gRPC only says that it could not: asks the kernel again to learn why.
absl::Status WhyNotBound(const config::v1::Control& config) {
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(config.listen());
  if (!address.ok()) return address.status();
  absl::StatusOr<int> fd = BindListener(*address);
  if (!fd.ok()) {
    return absl::UnavailableError(
        absl::StrCat("control.listen: cannot bind ", config.listen(), ": ", fd.status().message()));
  }
  close(*fd);
  if (config.has_tls()) {
    return absl::InvalidArgumentError(absl::StrCat("control.tls: ", config.tls().certificate_file(),
                                                   " and ", config.tls().key_file(),
                                                   " are not a certificate and its key in PEM"));
  }
  return absl::UnavailableError(absl::StrCat("control.listen: cannot bind ", config.listen()));
}

// The real port in place of a 0.
std::string BoundAddress(const std::string& listen, int port) {
  if (absl::StartsWith(listen, "unix:")) return listen;
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

void Configure(const GrpcContext& grpc, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kReceiveBytesCut);
  builder.SetMaxSendMessageSize(kSendBytesMax);
  // Two daemons on one port would share its clients.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMinMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  if (grpc.authorizer.has_tokens()) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
    creators.push_back(std::make_unique<TokenInterceptorFactory>(grpc));
    builder.experimental().SetInterceptorCreators(std::move(creators));
  }
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

}  // namespace

struct GrpcServer::Server {
  explicit Server(const Parts& parts)
      : context{parts.hub, parts.authorizer, refused}, health(ServiceNames("/grove.")) {}

  RefusedTokens refused;
  const GrpcContext context;
  HealthService health;
  RawService service;
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
  AddUnaryMethods(server->context, {parts.driver, parts.tasks, parts.workers}, service);
  AddBackdoorMethods(server->context, parts.config.run_dir(), parts.config.workers(), service);
  AddReflectionMethods(server->context, ServiceNames("/"), service);
  server->health.AddMethods(service);

  grpc::ServerBuilder builder;
  Configure(server->context, builder);
  int port = 0;
  builder.AddListeningPort(config.listen(), *credentials, &port);
  builder.RegisterService(&service);
  binding = true;
  server->server = builder.BuildAndStart();
  binding = false;
  if (server->server == nullptr || port == 0) return WhyNotBound(config);

  std::unique_ptr<GrpcServer> started(new GrpcServer(std::move(server)));
  started->address_ = BoundAddress(config.listen(), port);
  return started;
}

void GrpcServer::StopServing() {
  server_->health.StopServing();
}

void GrpcServer::Shutdown(absl::Duration grace) {
  server_->health.EndWatches();
  server_->refused.AnswerAll();
  server_->server->Shutdown(absl::ToChronoTime(absl::Now() + grace));
}

uint64_t GrpcServer::tokens_refused() const {
  return server_->refused.total();
}

}  // namespace grove::control
