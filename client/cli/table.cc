#include "client/cli/table.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "client/cli/text.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr size_t kGap = 2;

// Below this a cut cell says nothing any more: the line may then be wider than the terminal.
constexpr size_t kCutWidthMin = 8;

void AppendLine(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                std::string& out) {
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = Cut(cells[i], widths[i]);
    out += cell;
    if (i + 1 < cells.size()) out.append(widths[i] - Width(cell) + kGap, ' ');
  }
  out += '\n';
}

}  // namespace

Table::Table(std::vector<std::string> header) {
  rows_.push_back(std::move(header));
}

void Table::Add(std::vector<std::string> cells) {
  cells.resize(rows_.front().size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : Escape(cell);
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::Widths(std::optional<size_t> width) const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  if (!width) return widths;
  size_t total = std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  while (total > *width) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kCutWidthMin) break;
    --*widest;
    --total;
  }
  return widths;
}

std::string Table::Render(std::optional<size_t> width) const {
  const std::vector<size_t> widths = Widths(width);
  std::string out;
  for (const auto& row : rows_) AppendLine(row, widths, out);
  return out;
}

std::string RenderFields(const std::vector<std::pair<std::string, std::string>>& fields) {
  size_t widest = 0;
  for (const auto& [name, value] : fields) {
    if (!value.empty()) widest = std::max(widest, name.size());
  }
  std::string out;
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    StrAppend(&out, name, ":", std::string(widest - name.size() + 1, ' '), Escape(value), "\n");
  }
  return out;
}

}  // namespace grove::client::cli
