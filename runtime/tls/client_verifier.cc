#include "runtime/tls/client_verifier.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/tls/openssl.h"
#include "runtime/tls/revocation_lists.h"

namespace grove {
namespace {

using StorePtr = std::unique_ptr<X509_STORE, OpensslFree<X509_STORE_free>>;
using CheckPtr = std::unique_ptr<X509_STORE_CTX, OpensslFree<X509_STORE_CTX_free>>;

struct FreeAll {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using OwnedStack = std::unique_ptr<STACK_OF(X509), FreeAll>;

}  // namespace

struct ClientVerifier::State {
  StorePtr store{X509_STORE_new()};
  RevocationLists lists;
};

ClientVerifier::ClientVerifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientVerifier::~ClientVerifier() = default;

absl::StatusOr<std::unique_ptr<const ClientVerifier>> ClientVerifier::Create(
    const std::string& ca_file, const std::string& crl_file) {
  auto state = std::make_unique<State>();
  if (X509_STORE_load_file(state->store.get(), ca_file.c_str()) != 1) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: no PEM certificates of authorities: %s",
                                                      ca_file, TakeTlsErrors("none found")));
  }
  absl::StatusOr<RevocationLists> lists = RevocationLists::Read(crl_file);
  if (!lists.ok()) return lists.status();
  state->lists = *std::move(lists);
  state->lists.AddTo(state->store.get());
  return std::unique_ptr<const ClientVerifier>(new ClientVerifier(std::move(state)));
}

absl::Status ClientVerifier::Check(std::string_view pem) const {
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const CertificatePtr leaf(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  if (leaf == nullptr) {
    return absl::UnauthenticatedError(TakeTlsErrors("no certificate in PEM form"));
  }
  const OwnedStack others(sk_X509_new_null());
  while (X509* other = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) {
    sk_X509_push(others.get(), other);
  }
  ERR_clear_error();  // the end of the text is one
  const CheckPtr check(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(check.get(), state_->store.get(), leaf.get(), others.get()) != 1) {
    return absl::InternalError(TakeTlsErrors("a certificate cannot be checked"));
  }
  X509_STORE_CTX_set_default(check.get(), "ssl_client");
  if (X509_verify_cert(check.get()) == 1) return absl::OkStatus();
  ERR_clear_error();
  const std::string why = DescribeRefusal(check.get());
  switch (X509_STORE_CTX_get_error(check.get())) {
    case X509_V_ERR_CERT_REVOKED:
      return absl::PermissionDeniedError(why);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return absl::DeadlineExceededError(why);
    default:
      return absl::UnauthenticatedError(why);
  }
}

std::vector<std::string> ClientVerifier::Warnings(absl::Time now) const {
  return state_->lists.Warnings(now);
}

}  // namespace grove
