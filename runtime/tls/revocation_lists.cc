#include "runtime/tls/revocation_lists.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <ctime>
#include <utility>

#include "absl/strings/str_format.h"

namespace grove {
namespace {

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<RevocationLists> RevocationLists::Read(const std::string& path) {
  const absl::StatusOr<std::string> pem = ReadTlsFile(path);
  if (!pem.ok()) return pem.status();
  return Parse(path, *pem);
}

absl::StatusOr<RevocationLists> RevocationLists::Parse(const std::string& path,
                                                       std::string_view pem) {
  RevocationLists read;
  read.path_ = path;
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (List list{PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr)}) {
    read.lists_.push_back(std::move(list));
  }
  // The end of the text is an error, too.
  const unsigned long error = ERR_peek_last_error();
  const bool ended =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string why = TakeTlsErrors("none found");
  if (ended && !read.lists_.empty()) return read;
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: no PEM lists of what was revoked: %s", path, why));
}

void RevocationLists::AddTo(X509_STORE* store) const {
  for (const List& list : lists_) X509_STORE_add_crl(store, list.get());
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

std::vector<std::string> RevocationLists::Warnings(absl::Time now) const {
  std::vector<std::string> warnings;
  for (const List& list : lists_) {
    const std::string issuer = NameText(X509_CRL_get_issuer(list.get()));
    const absl::Time from = TimeOf(X509_CRL_get0_lastUpdate(list.get()));
    const auto warn = [&](std::string_view what, absl::Time when) {
      warnings.push_back(
          absl::StrFormat("%s: the list of \"%s\" %s %s: its certificates are refused", path_,
                          issuer, what, absl::FormatTime(when, absl::UTCTimeZone())));
    };
    if (now < from) warn("is not valid before", from);
    if (X509_CRL_get0_nextUpdate(list.get()) == nullptr) continue;
    const absl::Time until = TimeOf(X509_CRL_get0_nextUpdate(list.get()));
    if (now > until) warn("was to be renewed by", until);
  }
  return warnings;
}

}  // namespace grove
