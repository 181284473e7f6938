#include "server/tasks/fingerprint.h"

#include <openssl/evp.h>

#include <memory>
#include <string_view>

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"

namespace grove::tasks {

uint64_t FingerprintOf(std::string_view function, std::string_view queue,
                       const AcceptedSpec& spec) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  bool ok = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  // The first three hold no NUL, so no two lists of parts look alike.
  for (const std::string_view part :
       {function, queue, spec.content_type(), std::string_view(spec.input)}) {
    ok = ok && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1 &&
         EVP_DigestUpdate(context.get(), "\0", 1) == 1;
  }
  if (spec.extras().input_payload != nullptr) {
    const std::string& name = *spec.extras().input_payload;
    ok = ok && EVP_DigestUpdate(context.get(), name.data(), name.size()) == 1;
  }
  unsigned char digest[EVP_MAX_MD_SIZE] = {};
  ok = ok && EVP_DigestFinal_ex(context.get(), digest, nullptr) == 1;
  GROVE_CHECK(ok, "SHA-256 is not to be had");
  uint64_t fingerprint = 0;
  for (int i = 0; i < 8; ++i) fingerprint = fingerprint << 8 | digest[i];
  return fingerprint;
}

uint64_t KeepFingerprint(const EngineState& state, Task& task) {
  uint64_t& kept = task.spec.Extras().fingerprint;
  if (kept == 0) {
    kept = FingerprintOf(state.FunctionOf(task), state.directory->queues()[task.queue].name,
                         task.spec);
  }
  return kept;
}

std::string FormatFingerprint(uint64_t fingerprint) {
  return absl::StrFormat("%016x", fingerprint);
}

}  // namespace grove::tasks
