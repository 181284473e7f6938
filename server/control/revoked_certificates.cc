#include "server/control/revoked_certificates.h"

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "server/log.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

std::string_view ReasonOf(const absl::Status& refused) {
  if (absl::IsPermissionDenied(refused)) return "CERTIFICATE_REVOKED";
  if (absl::IsDeadlineExceeded(refused)) return "CERTIFICATE_EXPIRED";
  return "CERTIFICATE_UNKNOWN";
}

}  // namespace

absl::StatusOr<std::unique_ptr<RevokedCertificates>> RevokedCertificates::Open(
    const config::v1::ControlTls& tls) {
  if (tls.client_crl_file().empty()) return nullptr;
  std::unique_ptr<RevokedCertificates> opened(new RevokedCertificates(tls));
  opened->marks_ = opened->MarksNow();
  auto verifier = ClientVerifier::Create(opened->ca_file_, opened->crl_file_);
  if (!verifier.ok()) {
    return absl::InvalidArgumentError(StrCat("control.tls: ", verifier.status().message()));
  }
  opened->Use(*std::move(verifier));
  opened->LogWarnings();
  return opened;
}

absl::Status RevokedCertificates::Check(std::string_view pem) const {
  std::shared_ptr<const ClientVerifier> verifier;
  {
    const absl::MutexLock lock(&mutex_);
    const auto found = checked_.find(Abseil(pem));
    if (found != checked_.end()) return found->second;
    verifier = verifier_;
  }
  absl::Status status = verifier->Check(pem);
  if (!status.ok()) {
    status = tasks::Refusal(absl::StatusCode::kUnauthenticated, ReasonOf(status),
                            StrCat("the client's certificate is refused: ", status.message()));
  }
  const absl::MutexLock lock(&mutex_);
  // Else the files have changed meanwhile.
  if (verifier == verifier_) {
    if (checked_.size() >= kCheckedCertificatesMax) checked_.clear();
    checked_.insert_or_assign(std::string(pem), status);
  }
  return status;
}

void RevokedCertificates::Use(std::shared_ptr<const ClientVerifier> verifier) {
  const absl::MutexLock lock(&mutex_);
  verifier_ = std::move(verifier);
  checked_.clear();
}

void RevokedCertificates::LogWarnings() const {
  std::vector<std::string> warnings;
  {
    const absl::MutexLock lock(&mutex_);
    warnings = verifier_->Warnings(absl::Now());
  }
  for (const std::string& warning : warnings) {
    Log(LogLevel::kWarning, "a list of revoked certificates is out of date",
        {{"listener", "control"}, {"why", warning}});
  }
}

absl::Status RevokedCertificates::Run(OffloadPool& offload) {
  for (;;) {
    if (absl::Status slept = Sleep(process::kCertificateCheckPeriod); !slept.ok()) return slept;
    if (absl::Status renewed = Renew(offload); !renewed.ok()) return renewed;
  }
}

absl::Status RevokedCertificates::Renew(OffloadPool& offload) {
  Marks marks;
  std::optional<absl::StatusOr<std::unique_ptr<const ClientVerifier>>> read;
  absl::Status ran = offload.Run([&] {
    marks = MarksNow();
    if (marks != marks_) read = ClientVerifier::Create(ca_file_, crl_file_);
  });
  if (!ran.ok()) return ran;
  if (!read.has_value()) {
    // A list may have come out of date.
    const absl::MutexLock lock(&mutex_);
    checked_.clear();
    return absl::OkStatus();
  }
  marks_ = std::move(marks);
  if (!read->ok()) {
    Log(LogLevel::kError, "new lists of revoked certificates cannot be used: the old ones stay",
        {{"listener", "control"}, {"error", read->status().message()}});
    return absl::OkStatus();
  }
  Use(**std::move(read));
  Log(LogLevel::kInfo, "new lists of revoked certificates are in use", {{"listener", "control"}});
  LogWarnings();
  return absl::OkStatus();
}

}  // namespace grove::control
