#include "server/config/near_match.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>

#include "absl/strings/ascii.h"

namespace grove::config {
namespace {

// Longer than any name here; it bounds the quadratic work on hostile input.
constexpr size_t kTypedMax = 64;

std::string Folded(std::string_view name) {
  std::string folded;
  for (const char c : name) {
    if (c != '_' && c != '-') folded.push_back(absl::ascii_tolower(c));
  }
  return folded;
}

// Levenshtein's distance with two swapped neighbours as one edit.
size_t Distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string NearMatch(std::string_view typed, const std::vector<std::string>& names) {
  if (typed.empty() || typed.size() > kTypedMax) return "";
  const std::string folded = Folded(typed);
  std::string nearest;
  size_t least = std::max<size_t>(1, folded.size() / 3) + 1;
  for (const std::string& name : names) {
    const size_t distance = Distance(folded, Folded(name));
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest;
}

}  // namespace grove::config
