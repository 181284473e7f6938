// Table: aligned columns under a header line.
//
// Pure. Cells are escaped when added. Where a width is given the last columns give way first, and
// what names something is never cut.

#ifndef GROVE_CLIENT_CLI_TABLE_H_
#define GROVE_CLIENT_CLI_TABLE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace grove::client::cli {

struct Column {
  enum class Kind {
    kText,
    // A name that is typed again, or a state that is looked for: never cut.
    kId,
    kState,
    // Shown in wide tables only.
    kWide,
    kWideId,
  };

  // Implicit: a column of text is its header.
  Column(const char* name, Kind of = Kind::kText) : header(name), kind(of) {}

  std::string header;
  Kind kind;
};

// How a table or a list of fields is to be shown.
struct Look {
  // Columns of the terminal; without it nothing is cut.
  std::optional<size_t> width = std::nullopt;
  bool wide = false;
  bool headers = true;
  bool colors = false;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  // As many cells as there are columns; an empty one shows as "-".
  void Add(std::vector<std::string> cells);

  std::string Render(const Look& look) const;

 private:
  std::vector<size_t> Shown(const Look& look) const;
  std::vector<size_t> Widths(const std::vector<size_t>& shown, const Look& look) const;

  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "name: value" lines, aligned, for one object. Pairs with an empty value are left out.
std::string RenderFields(const std::vector<std::pair<std::string, std::string>>& fields,
                         const Look& look = {});

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_TABLE_H_
