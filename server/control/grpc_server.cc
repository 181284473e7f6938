#include "server/control/grpc_server.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/service_type.h>
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
#include "server/log.h"

namespace grove::control {
namespace {

// While the port is bound, gRPC's own complaints would repeat ours in many lines.
std::atomic<bool> binding{false};

void LogFromGrpc(gpr_log_func_args* args) {
  const bool error = args->severity == GPR_LOG_SEVERITY_ERROR && !binding;
  Log(error ? LogLevel::kWarning : LogLevel::kDebug, "grpc",
      {{"message", args->message}, {"where", absl::StrCat(args->file, ":", args->line)}});
}

// Guards gRPC's own services where tokens are configured; Grove's check their calls themselves and
// say what is wrong. Here a call can only be cut off: the client sees CANCELLED.
class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  TokenInterceptor(const Authorizer& authorizer, grpc::experimental::ServerRpcInfo* info)
      : authorizer_(authorizer), info_(info) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Point::POST_RECV_INITIAL_METADATA)) {
      auto* metadata = methods->GetRecvInitialMetadata();
      auto found = metadata->find("authorization");
      const std::string_view authorization =
          found == metadata->end() ? std::string_view()
                                   : std::string_view(found->second.data(), found->second.size());
      if (!authorizer_.Authorize(FindMethod(info_->method()), authorization).ok()) {
        info_->server_context()->TryCancel();
      }
    }
    methods->Proceed();
  }

 private:
  const Authorizer& authorizer_;
  grpc::experimental::ServerRpcInfo* const info_;
};

class TokenInterceptorFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit TokenInterceptorFactory(const Authorizer& authorizer) : authorizer_(authorizer) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    if (absl::StartsWith(info->method(), "/grove.")) return nullptr;
    return new TokenInterceptor(authorizer_, info);
  }

 private:
  const Authorizer& authorizer_;
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

void Configure(const Authorizer& authorizer, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kReceiveBytesMax);
  builder.SetMaxSendMessageSize(kSendBytesMax);
  // Two daemons on one port would share its clients.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMinMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  if (authorizer.has_tokens()) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
    creators.push_back(std::make_unique<TokenInterceptorFactory>(authorizer));
    builder.experimental().SetInterceptorCreators(std::move(creators));
  }
}

// "grove.v1.TaskService" for every service that Grove serves.
std::vector<std::string> ServiceNames() {
  std::vector<std::string> names;
  for (const MethodRow& row : MethodTable()) {
    if (!row.method.starts_with("/grove.")) continue;
    const std::string_view method = row.method.substr(1);
    std::string name(method.substr(0, method.find('/')));
    if (names.empty() || names.back() != name) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

struct GrpcServer::Server {
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<grpc::Server> server;
};

GrpcServer::GrpcServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}

GrpcServer::~GrpcServer() = default;

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Parts& parts) {
  gpr_set_log_function(&LogFromGrpc);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::channelz::experimental::InitChannelzService();

  const config::v1::Control& config = parts.config.control();
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials = Credentials(config);
  if (!credentials.ok()) return credentials.status();

  auto server = std::make_unique<Server>();
  const GrpcContext context = {parts.hub, parts.authorizer};
  server->services = MakeUnaryServices(context, {parts.driver, parts.tasks, parts.workers});
  server->services.push_back(
      MakeBackdoorService(context, parts.config.run_dir(), parts.config.workers()));

  grpc::ServerBuilder builder;
  Configure(parts.authorizer, builder);
  int port = 0;
  builder.AddListeningPort(config.listen(), *credentials, &port);
  for (const auto& service : server->services) builder.RegisterService(service.get());
  binding = true;
  server->server = builder.BuildAndStart();
  binding = false;
  if (server->server == nullptr || port == 0) return WhyNotBound(config);

  for (const std::string& name : ServiceNames()) {
    server->server->GetHealthCheckService()->SetServingStatus(name, true);
  }
  std::unique_ptr<GrpcServer> started(new GrpcServer(std::move(server)));
  started->address_ = BoundAddress(config.listen(), port);
  return started;
}

void GrpcServer::StopServing() {
  server_->server->GetHealthCheckService()->Shutdown();
}

void GrpcServer::Shutdown(absl::Duration grace) {
  server_->server->Shutdown(absl::ToChronoTime(absl::Now() + grace));
}

}  // namespace grove::control
