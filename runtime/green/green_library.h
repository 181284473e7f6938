// GreenLibrary: has a library that was bound past the program call the
// program's libc.
//
// The executable's calls come before libc's for whatever it loads, by any flag
// of dlopen(3) but RTLD_DEEPBIND: what is loaded so finds libc first. This
// redirects that one library's calls, as its loader would have done without the
// flag.
#ifndef GROVE_RUNTIME_GREEN_GREEN_LIBRARY_H_
#define GROVE_RUNTIME_GREEN_GREEN_LIBRARY_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace grove {

// libc's calls that this program has itself.
absl::Span<const char* const> GreenedCalls();

// `library`: of dlopen(3). How many calls are redirected now that were not: 0
// where it was bound well. Those that it depends on need one of their own.
// Requires: no thread is in the library. kInvalidArgument: no such library.
// kFailedPrecondition: it is in another namespace (dlmopen(3)), with a libc of
// its own. kUnimplemented: on this processor.
absl::StatusOr<int> GreenLibrary(void* library);

}  // namespace grove

#endif  // GROVE_RUNTIME_GREEN_GREEN_LIBRARY_H_
