#include "client/channel.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

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

constexpr int64_t kPemBytesMax = 16 * 1024 * 1024;

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

// `flag` and `what` are for errors: "ca_cert", "certificate". `label`: how PEM ends its first line.
absl::StatusOr<std::string> ReadPem(std::string_view flag, const std::string& path,
                                    std::string_view what, std::string_view label) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    return absl::NotFoundError(StrCat(flag, ": cannot open ", path, ": ", std::strerror(errno)));
  }
  if (file.tellg() > kPemBytesMax) {
    return absl::InvalidArgumentError(StrCat(flag, ": ", path, " is larger than 16 MiB"));
  }
  file.seekg(0);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.find("-----BEGIN ") == std::string::npos || text.find(label) == std::string::npos) {
    return absl::InvalidArgumentError(StrCat(flag, ": ", path, " holds no ", what, " in PEM form"));
  }
  return text;
}

// Files whose key is not the certificate's gRPC would only tell as a connection that fails.
absl::Status CheckKeyFits(const grpc::SslCredentialsOptions& options) {
  const auto read = [](const std::string& pem, auto from) {
    BIO* text = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    auto* made = from(text);
    BIO_free(text);
    return made;
  };
  X509* certificate = read(options.pem_cert_chain, [](BIO* text) {
    return PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
  });
  EVP_PKEY* key = read(options.pem_private_key, [](BIO* text) {
    // A password would be asked for on the terminal.
    return PEM_read_bio_PrivateKey(
        text, nullptr, [](char*, int, int, void*) { return 0; }, nullptr);
  });
  const bool fits =
      certificate != nullptr && key != nullptr && X509_check_private_key(certificate, key) == 1;
  X509_free(certificate);
  EVP_PKEY_free(key);
  ERR_clear_error();
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "client_key: is not the key of client_cert, or it is encrypted");
}

absl::Status AddClientCertificate(const ClientOptions& options,
                                  grpc::SslCredentialsOptions& credentials) {
  if (options.client_cert_file.empty() && options.client_key_file.empty()) return absl::OkStatus();
  if (options.client_cert_file.empty() || options.client_key_file.empty()) {
    return absl::InvalidArgumentError("client_cert and client_key: want both or none");
  }
  auto chain = ReadPem("client_cert", options.client_cert_file, "certificate", "CERTIFICATE-----");
  if (!chain.ok()) return chain.status();
  auto key = ReadPem("client_key", options.client_key_file, "private key", "PRIVATE KEY-----");
  if (!key.ok()) return key.status();
  credentials.pem_cert_chain = *std::move(chain);
  credentials.pem_private_key = *std::move(key);
  return CheckKeyFits(credentials);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const ClientOptions& options) {
  grpc::SslCredentialsOptions credentials;
  absl::Status added = AddClientCertificate(options, credentials);
  if (!added.ok()) return added;
  if (options.ca_cert_file.empty()) {
    if (credentials.pem_cert_chain.empty()) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError(
        "client_cert: is shown over TLS alone; give ca_cert, the authorities of the server's");
  }
  auto roots = ReadPem("ca_cert", options.ca_cert_file, "certificate", "CERTIFICATE-----");
  if (!roots.ok()) return roots.status();
  credentials.pem_root_certs = *std::move(roots);
  return grpc::SslCredentials(credentials);
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
  // Streams and waits are quiet for long: a server that does not answer any more is noticed. Well
  // above the interval that servers allow.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  return arguments;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options) {
  if (absl::Status status = CheckAddress(options.address); !status.ok()) return status;
  if (absl::Status status = CheckToken(options.token); !status.ok()) return status;
  auto credentials = Credentials(options);
  if (!credentials.ok()) return credentials.status();
  return grpc::CreateCustomChannel(options.address, *credentials, ChannelSettings());
}

}  // namespace grove::client
