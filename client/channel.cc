#include "client/channel.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client {
namespace {

// Room for a full batch of tasks with inputs and outputs of the sizes tasks usually have.
constexpr int kResponseBytesMax = 512 * 1024 * 1024;

// What else may stand in trailers, as by default.
constexpr int kOtherMetadataBytesMax = 8 * 1024;

constexpr int64_t kCaCertBytesMax = 16 * 1024 * 1024;

absl::Status CheckAddress(std::string_view address) {
  if (ConsumePrefix(&address, "unix:")) {
    return address.empty() ? absl::InvalidArgumentError("address: unix: needs a path")
                           : absl::OkStatus();
  }
  const size_t colon = address.rfind(':');
  const std::string_view host = address.substr(0, colon);
  const bool bare_host = host.find_first_of(":/ \t") == std::string_view::npos;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  int port = 0;
  if (colon == std::string_view::npos || host.empty() || !(bare_host || bracketed) ||
      !SimpleAtoi(address.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError(
        StrCat("address: \"", address, "\" is not HOST:PORT, [IPV6]:PORT or unix:PATH"));
  }
  return absl::OkStatus();
}

// gRPC aborts a call with an unreadable message when metadata holds anything else.
absl::Status CheckToken(std::string_view token) {
  for (const char c : token) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError(
          "token: holds a character that is not printable ASCII, or a blank");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadCaCert(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    return absl::NotFoundError(StrCat("ca_cert: cannot open ", path, ": ", std::strerror(errno)));
  }
  if (file.tellg() > kCaCertBytesMax) {
    return absl::InvalidArgumentError(StrCat("ca_cert: ", path, " is larger than 16 MiB"));
  }
  file.seekg(0);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return absl::InvalidArgumentError(
        StrCat("ca_cert: ", path, " holds no certificate in PEM form"));
  }
  return text;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const std::string& ca_file) {
  if (ca_file.empty()) return grpc::InsecureChannelCredentials();
  absl::StatusOr<std::string> roots = ReadCaCert(ca_file);
  if (!roots.ok()) return roots.status();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = *std::move(roots);
  return grpc::SslCredentials(options);
}

grpc::ChannelArguments ChannelSettings() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kResponseBytesMax);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kErrorBytesMax + kOtherMetadataBytesMax);
  // A control plane is never behind the proxy that http_proxy names for the web.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // gRPC waits up to two minutes before it connects again: a control that was restarted is back
  // within a second.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  return arguments;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options) {
  if (absl::Status status = CheckAddress(options.address); !status.ok()) return status;
  if (absl::Status status = CheckToken(options.token); !status.ok()) return status;
  auto credentials = Credentials(options.ca_cert_file);
  if (!credentials.ok()) return credentials.status();
  return grpc::CreateCustomChannel(options.address, *credentials, ChannelSettings());
}

}  // namespace grove::client
