#include "server/worker/shared_origins.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"

namespace grove::worker {
namespace {

using functions::OriginGate;

// While other origins have all places that this one may have.
constexpr absl::Duration kPlaceRetry = absl::Seconds(1);
// Its cell went to another one at the moment when it was looked up, so often.
constexpr int kLooksMax = 4;

// Two of the same would share their bounds, so that nobody may choose them: not 0.
uint64_t Fingerprint(std::string_view tenant, const http::Url& url) {
  const std::string text =
      StrCat(tenant, "\n", url.https ? "https" : "http", "\n", url.Authority());
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  uint64_t key = 0;
  memcpy(&key, digest, sizeof(key));
  return std::max<uint64_t>(key, 1);
}

}  // namespace

OriginGate::Entry SharedOrigins::Enter(std::string_view tenant, const http::Url& url) {
  const uint64_t key = Fingerprint(tenant, url);
  const int64_t now_ns = Hub::Current()->ReadClock();
  metrics::OriginCells& cells = scoreboard_.series().origins;
  Entry entry;
  entry.wait = kPlaceRetry;
  for (int i = 0; i < kLooksMax; ++i) {
    metrics::OriginCell* const cell = cells.Find(key, scoreboard_.workers(), now_ns);
    if (cell == nullptr) break;
    Entry tried = EnterOrigin(*cell, book_.Of(url), asker(), now_ns);
    if (cells.Holds(*cell, key)) {
      entry = tried;
      break;
    }
    if (tried.pass.has_value()) StepBack(*cell, *tried.pass, asker());
  }
  if (!entry.pass.has_value()) ++stats_.put_off[static_cast<size_t>(entry.bound)];
  return entry;
}

void SharedOrigins::Leave(const Pass& pass, const functions::OriginAnswer& answer) {
  auto& cell = *static_cast<metrics::OriginCell*>(pass.cell);
  if (LeaveOrigin(cell, pass, answer, asker(), Hub::Current()->ReadClock())) {
    ++stats_.breaker_openings;
  }
}

}  // namespace grove::worker
