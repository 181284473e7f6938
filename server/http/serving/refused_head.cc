#include "server/http/serving/refused_head.h"

namespace grove::http {

std::string_view RequestLineOf(std::string_view unread) {
  std::string_view line = unread.substr(0, kRequestLineBytesMax);
  while (line.starts_with("\r\n")) line.remove_prefix(2);
  return line.substr(0, line.find_first_of("\r\n"));
}

RequestHead HeadOf(std::string_view line) {
  RequestHead head{.method = line.substr(0, line.find(' '))};
  if (head.method.size() == line.size()) return head;
  const std::string_view rest = line.substr(head.method.size() + 1);
  head.target = rest.substr(0, rest.find(' '));
  const size_t query = head.target.find('?');
  head.path = head.target.substr(0, query);
  if (query != std::string_view::npos) head.query = head.target.substr(query + 1);
  return head;
}

}  // namespace grove::http
