#include "server/admin/page_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"

namespace grove::admin {
namespace {

// No cell is padded to more: one long value must not push the others off the screen.
constexpr size_t kPaddedMax = 48;

// On one line, and nothing that a terminal obeys.
std::string Cell(const Json& value) {
  std::string text = value.is_string() ? value.get<std::string>()
                                       : value.dump(-1, ' ', false, Json::error_handler_t::replace);
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return text;
}

bool IsTable(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& row) { return row.is_object(); });
}

struct Column {
  std::string name;
  size_t width;
};

std::vector<Column> ColumnsOf(const Json& rows) {
  std::vector<Column> columns;
  for (const Json& row : rows) {
    for (const auto& [name, value] : row.items()) {
      if (value.is_array()) continue;
      auto column = std::find_if(columns.begin(), columns.end(),
                                 [&](const Column& each) { return each.name == name; });
      if (column == columns.end()) column = columns.insert(columns.end(), {name, name.size()});
      column->width = std::max(column->width, std::min(Cell(value).size(), kPaddedMax));
    }
  }
  return columns;
}

void AppendPadded(std::string_view text, size_t width, std::string& line) {
  line.append(text);
  if (text.size() < width) line.append(width - text.size(), ' ');
  line += "  ";
}

void EndLine(std::string& line, std::string& out) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line;
  out += '\n';
  line.clear();
}

void AppendTable(const Json& rows, const std::string& indent, std::string& out) {
  const std::vector<Column> columns = ColumnsOf(rows);
  std::string line = indent;
  for (const Column& column : columns) {
    AppendPadded(absl::AsciiStrToUpper(column.name), column.width, line);
  }
  EndLine(line, out);
  for (const Json& row : rows) {
    line = indent;
    for (const Column& column : columns) {
      const auto value = row.find(column.name);
      AppendPadded(value == row.end() ? "" : Cell(*value), column.width, line);
    }
    EndLine(line, out);
    for (const auto& [name, value] : row.items()) {
      if (!value.is_array()) continue;
      for (const Json& each : value) out += indent + "    " + Cell(each) + "\n";
    }
  }
}

void AppendObject(const Json& object, const std::string& indent, std::string& out) {
  for (const auto& [name, value] : object.items()) {
    if (!value.is_structured()) {
      out += indent + name + ": " + Cell(value) + "\n";
      continue;
    }
    out += indent + name + ":" + (value.empty() ? " none" : "") + "\n";
    if (value.is_object()) {
      AppendObject(value, indent + "  ", out);
    } else if (IsTable(value)) {
      AppendTable(value, indent + "  ", out);
    } else {
      for (const Json& each : value) out += indent + "  " + Cell(each) + "\n";
    }
  }
}

}  // namespace

std::string FormatPage(const Json& page) {
  std::string out;
  AppendObject(page, "", out);
  return out;
}

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace grove::admin
