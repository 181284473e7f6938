#include "runtime/tls/fixture.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runtime/switch/abseil_text.h"

namespace grove {
namespace {

EVP_PKEY* NewKey(TestCertificateOptions::Key kind) {
  if (kind == TestCertificateOptions::Key::kRsa2048) return EVP_RSA_gen(2048);
  return EVP_EC_gen("P-256");
}

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* NewCertificate(const TestCertificateOptions& options, EVP_PKEY* key) {
  X509* certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  uint32_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), absl::ToInt64Seconds(options.valid_from));
  X509_gmtime_adj(X509_getm_notAfter(certificate), absl::ToInt64Seconds(options.valid_until));
  for (const std::string& name : {options.common_name, options.second_common_name}) {
    if (name.empty()) continue;
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  }
  X509_set_pubkey(certificate, key);
  return certificate;
}

void WriteCertificate(const std::string& path, X509* certificate) {
  FILE* file = fopen(path.c_str(), "we");
  PEM_write_X509(file, certificate);
  fclose(file);
}

}  // namespace

TestAuthority::TestAuthority(std::string_view name) {
  const char* parent = getenv("TEST_TMPDIR");
  directory_ = StrCat(parent == nullptr ? "/tmp" : parent, "/", name, ".XXXXXX");
  if (mkdtemp(directory_.data()) == nullptr) abort();
  key_ = NewKey(TestCertificateOptions::Key::kP256);
  certificate_ = NewCertificate({.common_name = std::string(name)}, key_);
  X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
  AddExtension(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate_, certificate_, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(certificate_, certificate_, NID_subject_key_identifier, "hash");
  X509_sign(certificate_, key_, EVP_sha256());
  ca_file_ = directory_ + "/ca.pem";
  WriteCertificate(ca_file_, certificate_);
}

TestAuthority::~TestAuthority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

TlsCertificateFiles TestAuthority::Issue(std::string_view file,
                                         const TestCertificateOptions& options) {
  TlsCertificateFiles files{.chain = StrCat(directory_, "/", file, ".pem"),
                            .key = StrCat(directory_, "/", file, ".key")};
  EVP_PKEY* key = NewKey(options.key);
  X509* certificate = NewCertificate(options, key);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate_));
  if (!options.names.empty()) {
    AddExtension(certificate, certificate_, NID_subject_alt_name, options.names);
  }
  X509_sign(certificate, key_, EVP_sha256());
  WriteCertificate(files.chain, certificate);
  FILE* out = fopen(files.key.c_str(), "we");
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

std::string TestAuthority::Revoke(std::string_view file,
                                  const std::vector<TlsCertificateFiles>& revoked,
                                  absl::Duration valid_until, absl::Duration valid_from) {
  X509_CRL* list = X509_CRL_new();
  X509_CRL_set_version(list, X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list, X509_get_subject_name(certificate_));
  ASN1_TIME* time = ASN1_TIME_new();
  X509_CRL_set1_lastUpdate(list, X509_gmtime_adj(time, absl::ToInt64Seconds(valid_from)));
  for (const TlsCertificateFiles& files : revoked) {
    FILE* in = fopen(files.chain.c_str(), "re");
    X509* certificate = PEM_read_X509(in, nullptr, nullptr, nullptr);
    fclose(in);
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate));
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(list, entry);
    X509_free(certificate);
  }
  X509_CRL_set1_nextUpdate(list, X509_gmtime_adj(time, absl::ToInt64Seconds(valid_until)));
  ASN1_TIME_free(time);
  X509_CRL_sort(list);
  X509_CRL_sign(list, key_, EVP_sha256());
  std::string path = StrCat(directory_, "/", file);
  FILE* out = fopen(path.c_str(), "we");
  PEM_write_X509_CRL(out, list);
  fclose(out);
  X509_CRL_free(list);
  return path;
}

std::string TestAuthority::WriteFile(std::string_view file, std::string_view content) {
  std::string path = StrCat(directory_, "/", file);
  std::ofstream(path) << content;
  return path;
}

}  // namespace grove
