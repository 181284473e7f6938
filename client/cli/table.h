// Table: aligned columns under a header line.
//
// Pure. Cells are escaped when added; they are cut only where a width is given.

#ifndef GROVE_CLIENT_CLI_TABLE_H_
#define GROVE_CLIENT_CLI_TABLE_H_

#include <optional>
#include <string>
#include <vector>

namespace grove::client::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header);

  // As many cells as the header has; an empty one shows as "-".
  void Add(std::vector<std::string> cells);

  // `width`: columns of the terminal; without it nothing is cut.
  std::string Render(std::optional<size_t> width) const;

 private:
  std::vector<size_t> Widths(std::optional<size_t> width) const;

  std::vector<std::vector<std::string>> rows_;
};

// "name: value" lines, aligned, for one object. Pairs with an empty value are left out.
std::string RenderFields(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_TABLE_H_
