// Transcript: what the parser and the decoder make of a stream, as lines; for tests and the fuzzer.
#ifndef GROVE_HTTP_MESSAGE_PARSER_TRANSCRIPT_H_
#define GROVE_HTTP_MESSAGE_PARSER_TRANSCRIPT_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message/field.h"
#include "http/message/target.h"

namespace grove::http {

struct ParsedRequest {
  std::string method, target, path, query, host;
  int version_minor = 1;
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;
};

struct Transcript {
  std::vector<ParsedRequest> requests;
  // The status the stream was refused with; 0: none, it stopped before a request or ended with one
  // that closes; -1: amid a request.
  int end = 0;

  // "POST /a?q HTTP/1.1 host=h body=… trailers=n:v" a line, then "400" or "incomplete".
  std::vector<std::string> Lines() const;
};

// Feeds `stream` in pieces; `next_piece` says how long the next one is, at least 1. Each time the
// bytes stand elsewhere, and those before are overwritten: a view kept too long shows.
Transcript ReadStream(std::string_view stream, const std::function<size_t()>& next_piece,
                      TargetText target_text = TargetText::kUri);

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_PARSER_TRANSCRIPT_H_
