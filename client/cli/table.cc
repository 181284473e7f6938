#include "client/cli/table.h"

#include <algorithm>
#include <utility>

#include "client/cli/color.h"
#include "client/cli/text.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

using Kind = Column::Kind;

constexpr size_t kGap = 2;

// Below this a cut cell says nothing any more: the line may then be wider than the terminal.
constexpr size_t kCutWidthMin = 8;

bool MayBeCut(Kind kind) {
  return kind == Kind::kText || kind == Kind::kWide;
}

bool IsWideOnly(Kind kind) {
  return kind == Kind::kWide || kind == Kind::kWideId;
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  std::vector<std::string> headers;
  for (const Column& column : columns_) headers.push_back(column.header);
  rows_.push_back(std::move(headers));
}

void Table::Add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : Escape(cell);
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::Shown(const Look& look) const {
  std::vector<size_t> shown;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (look.wide || !IsWideOnly(columns_[i].kind)) shown.push_back(i);
  }
  return shown;
}

// The first row, which holds the headers, counts only where it is shown.
std::vector<size_t> Table::Widths(const std::vector<size_t>& shown, const Look& look) const {
  std::vector<size_t> widths(columns_.size());
  size_t total = kGap * (shown.size() - 1);
  for (const size_t i : shown) {
    for (size_t row = look.headers ? 0 : 1; row < rows_.size(); ++row) {
      widths[i] = std::max(widths[i], Width(rows_[row][i]));
    }
    total += widths[i];
  }
  if (!look.width || look.wide) return widths;
  for (auto i = shown.rbegin(); i != shown.rend() && total > *look.width; ++i) {
    size_t& width = widths[*i];
    if (!MayBeCut(columns_[*i].kind) || width <= kCutWidthMin) continue;
    const size_t cut = std::min(width - kCutWidthMin, total - *look.width);
    width -= cut;
    total -= cut;
  }
  return widths;
}

std::string Table::Render(const Look& look) const {
  const std::vector<size_t> shown = Shown(look);
  const std::vector<size_t> widths = Widths(shown, look);
  std::string out;
  for (size_t row = look.headers ? 0 : 1; row < rows_.size(); ++row) {
    for (const size_t i : shown) {
      const std::string cell = Cut(rows_[row][i], widths[i]);
      const bool colored = look.colors && row > 0 && columns_[i].kind == Kind::kState;
      out += colored ? ColoredState(cell) : cell;
      if (i != shown.back()) out.append(widths[i] - Width(cell) + kGap, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string RenderFields(const std::vector<std::pair<std::string, std::string>>& fields,
                         const Look& look) {
  size_t widest = 0;
  for (const auto& [name, value] : fields) {
    if (!value.empty()) widest = std::max(widest, name.size());
  }
  std::string out;
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    const std::string text = Escape(value);
    StrAppend(&out, name, ":", std::string(widest - name.size() + 1, ' '),
              look.colors && name == "state" ? ColoredState(text) : text, "\n");
  }
  return out;
}

}  // namespace grove::client::cli
