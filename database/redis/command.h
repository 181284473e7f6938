// Command: one command for a Redis server, as bytes.
//
//   Command({"SET", key, 17, "EX", 60})
//
// Arguments are texts of any bytes, or numbers, and are copied. A value; any thread.
#ifndef GROVE_DATABASE_REDIS_COMMAND_H_
#define GROVE_DATABASE_REDIS_COMMAND_H_

#include <charconv>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace grove::redis {

class Command {
 public:
  class Argument {
   public:
    Argument(std::string_view text) : text_(text) {}    // NOLINT(google-explicit-constructor)
    Argument(const std::string& text) : text_(text) {}  // NOLINT(google-explicit-constructor)
    Argument(const char* text) : text_(text) {}         // NOLINT(google-explicit-constructor)
    template <typename Number>
    requires(std::integral<Number> || std::floating_point<Number>) &&
        (!std::same_as<Number, bool>)&&(!std::same_as<Number, char>)
            Argument(Number number)  // NOLINT(google-explicit-constructor)
        : text_(digits_, std::to_chars(digits_, digits_ + sizeof(digits_), number).ptr) {}
    Argument(const Argument&) = delete;
    Argument& operator=(const Argument&) = delete;

    std::string_view text() const { return text_; }

   private:
    char digits_[40];
    std::string_view text_;
  };

  // Requires: at least the command's name.
  Command(std::initializer_list<Argument> arguments);
  Command& Add(const Argument& argument);
  template <typename Texts>
  Command& AddAll(const Texts& texts) {
    for (const auto& text : texts) Add(text);
    return *this;
  }
  // If the connection breaks before its reply has come, it may be sent again, once, on the next:
  // doing it twice is as good as once. Else that is kUnavailable.
  Command& MayRepeat() {
    may_repeat_ = true;
    return *this;
  }

  // Its first argument in capitals.
  const std::string& name() const { return name_; }
  bool may_repeat() const { return may_repeat_; }
  void AppendTo(std::string& bytes) const;
  size_t bytes() const { return arguments_.size() + 16; }

  // kInvalidArgument, with what to use instead: it blocks the connection or changes its state, so
  // that fibers can't share it.
  absl::Status MayBeShared() const;
  // The same for a connection of one's own.
  absl::Status MayBeSent() const;

 private:
  std::string name_;
  std::string second_;     // argument, in capitals, if it is short
  std::string arguments_;  // as RESP has them
  size_t count_ = 0;
  bool blocks_ = false;
  bool may_repeat_ = false;
};

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_COMMAND_H_
