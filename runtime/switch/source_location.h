// SourceLocation: where a call stands in the source; std::source_location for compilers that have
// the built-ins but not the type (clang 14).
#ifndef GROVE_RUNTIME_SWITCH_SOURCE_LOCATION_H_
#define GROVE_RUNTIME_SWITCH_SOURCE_LOCATION_H_

namespace grove {

class SourceLocation {
 public:
  // As a default argument: the place of the caller.
  static constexpr SourceLocation Current(const char* file = __builtin_FILE(),
                                          unsigned line = __builtin_LINE()) {
    return SourceLocation(file, line);
  }

  constexpr const char* file_name() const { return file_; }
  constexpr unsigned line() const { return line_; }

 private:
  constexpr SourceLocation(const char* file, unsigned line) : file_(file), line_(line) {}

  const char* file_;
  unsigned line_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SWITCH_SOURCE_LOCATION_H_
