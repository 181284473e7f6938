#include "runtime/tls/openssl.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

// Frees the stack, not the certificates.
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using StackPtr = std::unique_ptr<STACK_OF(X509), FreeStack>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, OpensslFree<BN_free>>;

struct CloseFile {
  void operator()(FILE* file) const { fclose(file); }
};
using FilePtr = std::unique_ptr<FILE, CloseFile>;

// Else OpenSSL asks for the password on the terminal.
int RefusePassword(char*, int, int, void*) {
  return -1;
}

absl::Status Wrong(const std::string& path, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s", path, what));
}

StackPtr Borrow(const std::vector<CertificatePtr>& certificates) {
  StackPtr stack(sk_X509_new_null());
  for (const CertificatePtr& each : certificates) sk_X509_push(stack.get(), each.get());
  return stack;
}

// Empty if it holds a NUL byte, which could make "good.org\0.evil.org" look like the former.
std::string TextOf(const ASN1_STRING* string) {
  const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(string));
  const std::string text(bytes, ASN1_STRING_length(string));
  return text.find('\0') == std::string::npos ? text : "";
}

std::string CommonName(const X509_NAME* subject) {
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return "";
  unsigned char* utf8 = nullptr;
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  const int length = ASN1_STRING_to_UTF8(&utf8, value);
  if (length < 0) {
    ERR_clear_error();
    return "";
  }
  const std::string text(reinterpret_cast<const char*>(utf8), length);
  OPENSSL_free(utf8);
  return text.find('\0') == std::string::npos ? text : "";
}

std::string SerialText(const ASN1_INTEGER* serial) {
  const NumberPtr number(ASN1_INTEGER_to_BN(serial, nullptr));
  char* digits = number == nullptr ? nullptr : BN_bn2hex(number.get());
  std::string text = digits == nullptr ? "" : digits;
  OPENSSL_free(digits);
  return text;
}

std::string Fingerprint(const X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1) return "";
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), length});
}

std::string AlternativeName(const GENERAL_NAME& name) {
  switch (name.type) {
    case GEN_DNS:
      return absl::StrCat("DNS:", TextOf(name.d.dNSName));
    case GEN_URI:
      return absl::StrCat("URI:", TextOf(name.d.uniformResourceIdentifier));
    case GEN_EMAIL:
      return absl::StrCat("email:", TextOf(name.d.rfc822Name));
    case GEN_IPADD: {
      const int family = ASN1_STRING_length(name.d.iPAddress) == 4 ? AF_INET : AF_INET6;
      if (family == AF_INET6 && ASN1_STRING_length(name.d.iPAddress) != 16) return "";
      char text[INET6_ADDRSTRLEN] = "";
      inet_ntop(family, ASN1_STRING_get0_data(name.d.iPAddress), text, sizeof(text));
      return absl::StrCat("IP:", text);
    }
    default:
      return "";
  }
}

absl::Time TimeOf(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

absl::StatusOr<std::vector<CertificatePtr>> LoadChain(const std::string& path) {
  absl::StatusOr<std::string> pem = ReadTlsFile(path);
  if (!pem.ok()) return pem.status();
  ERR_clear_error();
  BioPtr in(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())));
  std::vector<CertificatePtr> chain;
  while (X509* one = PEM_read_bio_X509(in.get(), nullptr, RefusePassword, nullptr)) {
    chain.emplace_back(one);
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end = ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (at_end) ERR_clear_error();
  if (!at_end) return Wrong(path, "not a chain of PEM certificates: " + TakeTlsErrors("broken"));
  if (chain.empty()) return Wrong(path, "has no PEM certificate (-----BEGIN CERTIFICATE-----)");
  return chain;
}

absl::StatusOr<KeyPtr> LoadKey(const std::string& path) {
  absl::StatusOr<std::string> pem = ReadTlsFile(path);
  if (!pem.ok()) return pem.status();
  ERR_clear_error();
  BioPtr in(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())));
  KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, RefusePassword, nullptr));
  // Both of PEM's ways to say so.
  const bool encrypted = pem->find("ENCRYPTED") != std::string::npos;
  OPENSSL_cleanse(pem->data(), pem->size());
  if (key != nullptr) return key;
  if (encrypted) {
    ERR_clear_error();
    return Wrong(path, "the private key is encrypted; it must be stored without a password");
  }
  return Wrong(path, "has no usable PEM private key: " + TakeTlsErrors("nothing found"));
}

}  // namespace

std::string NameText(const X509_NAME* name) {
  BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long length = BIO_get_mem_data(out.get(), &text);
  return std::string(text, length);
}

std::string TakeTlsErrors(std::string_view otherwise) {
  std::string text;
  while (const unsigned long error = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(error);
    if (reason == nullptr) continue;
    if (!text.empty()) text.append("; ");
    text.append(reason);
  }
  return text.empty() ? std::string(otherwise) : text;
}

absl::StatusOr<std::string> ReadTlsFile(const std::string& path) {
  const FilePtr file(fopen(path.c_str(), "re"));
  if (file == nullptr) return ErrnoStatus(errno, path);
  std::string bytes;
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof(buffer), file.get())) {
    bytes.append(buffer, got);
    if (bytes.size() > kTlsFileBytesMax) {
      return Wrong(path, absl::StrFormat("larger than %d bytes", kTlsFileBytesMax));
    }
  }
  OPENSSL_cleanse(buffer, sizeof(buffer));
  if (ferror(file.get()) != 0) return ErrnoStatus(errno, path);
  return bytes;
}

bool TlsKeyPair::Use(SSL* ssl) const {
  return SSL_use_cert_and_key(ssl, leaf.get(), key.get(), Borrow(intermediates).get(), 1) == 1;
}

bool TlsKeyPair::Use(SSL_CTX* context) const {
  return SSL_CTX_use_cert_and_key(context, leaf.get(), key.get(), Borrow(intermediates).get(), 1) ==
         1;
}

absl::StatusOr<TlsKeyPair> LoadTlsKeyPair(const TlsCertificateFiles& files) {
  absl::StatusOr<std::vector<CertificatePtr>> chain = LoadChain(files.chain);
  if (!chain.ok()) return chain.status();
  absl::StatusOr<KeyPtr> key = LoadKey(files.key);
  if (!key.ok()) return key.status();
  TlsKeyPair pair{.files = files, .leaf = std::move(chain->front()), .key = *std::move(key)};
  chain->erase(chain->begin());
  pair.intermediates = *std::move(chain);
  if (X509_check_private_key(pair.leaf.get(), pair.key.get()) != 1) {
    ERR_clear_error();
    return Wrong(files.key, absl::StrCat("not the key of the first certificate in ", files.chain));
  }
  return pair;
}

TlsCertificate DescribeCertificate(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  TlsCertificate described{.subject = NameText(subject),
                           .common_name = CommonName(subject),
                           .issuer = NameText(X509_get_issuer_name(certificate)),
                           .serial = SerialText(X509_get0_serialNumber(certificate)),
                           .fingerprint = Fingerprint(certificate),
                           .not_before = TimeOf(X509_get0_notBefore(certificate)),
                           .not_after = TimeOf(X509_get0_notAfter(certificate))};
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    std::string name = AlternativeName(*sk_GENERAL_NAME_value(names.get(), i));
    if (!name.empty() && name.back() != ':') described.names.push_back(std::move(name));
  }
  return described;
}

namespace {

absl::Status SetGroups(SSL_CTX* context, std::vector<std::string> groups) {
  if (groups.empty()) groups.assign(std::begin(kTlsGroupsDefault), std::end(kTlsGroupsDefault));
  for (const std::string& group : groups) {
    // One by one, to name the one that is wrong. A ':' would make several of it.
    if (group.find(':') == std::string::npos &&
        SSL_CTX_set1_groups_list(context, group.c_str()) == 1) {
      continue;
    }
    ERR_clear_error();
    return absl::InvalidArgumentError(absl::StrFormat(
        "groups: \"%s\": no group that OpenSSL knows; X25519, P-256 and P-384 are some", group));
  }
  if (SSL_CTX_set1_groups_list(context, absl::StrJoin(groups, ":").c_str()) == 1) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("groups: %s", TakeTlsErrors("not usable together")));
}

}  // namespace

absl::StatusOr<SslContextPtr> NewTlsContext(const SSL_METHOD* method, TlsVersion version_min,
                                            const std::string& ciphers,
                                            const std::vector<std::string>& groups) {
  ERR_clear_error();
  SslContextPtr context(SSL_CTX_new(method));
  if (context == nullptr) return absl::ResourceExhaustedError(TakeTlsErrors("SSL_CTX_new"));
  SSL_CTX_set_min_proto_version(context.get(),
                                version_min == TlsVersion::k13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  if (SSL_CTX_set_cipher_list(context.get(), ciphers.c_str()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrFormat("ciphers \"%s\": %s", ciphers, TakeTlsErrors("none is known")));
  }
  if (absl::Status set = SetGroups(context.get(), groups); !set.ok()) return set;
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  // A record's header and body in one system call.
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

absl::StatusOr<std::string> AlpnList(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return absl::InvalidArgumentError(
          absl::StrFormat("ALPN name of %d bytes; RFC 7301 allows 1 to 255", protocol.size()));
    }
    list.push_back(static_cast<char>(protocol.size()));
    list.append(protocol);
  }
  return list;
}

std::string DescribeRefusal(X509_STORE_CTX* check) {
  const X509* certificate = X509_STORE_CTX_get_current_cert(check);
  return absl::StrFormat("certificate \"%s\" at depth %d: %s",
                         certificate == nullptr ? "" : NameText(X509_get_subject_name(certificate)),
                         X509_STORE_CTX_get_error_depth(check),
                         X509_verify_cert_error_string(X509_STORE_CTX_get_error(check)));
}

int NoteRefusedCertificate(int verified, X509_STORE_CTX* store) {
  if (verified == 1) return 1;
  SSL* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* handshake = static_cast<TlsHandshake*>(SSL_get_app_data(ssl));
  if (handshake == nullptr || !handshake->refused.empty()) return 0;
  handshake->refused = DescribeRefusal(store);
  return 0;
}

}  // namespace grove
