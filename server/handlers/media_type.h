// MediaTypes: what a file's name says about its content.
//
// A fixed table, for the web's files; nothing is guessed from content. Pure.
#ifndef GROVE_SERVER_HANDLERS_MEDIA_TYPE_H_
#define GROVE_SERVER_HANDLERS_MEDIA_TYPE_H_

#include <string_view>

namespace grove::handlers {

// By what stands behind the last '.', without case: "text/html; charset=utf-8". Unknown:
// "application/octet-stream".
std::string_view MediaTypeOf(std::string_view file_name);

}  // namespace grove::handlers

#endif  // GROVE_SERVER_HANDLERS_MEDIA_TYPE_H_
