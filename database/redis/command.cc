#include "database/redis/command.h"

#include <algorithm>
#include <array>

#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"

namespace grove::redis {
namespace {

// Names and options of Redis are no longer.
constexpr size_t kWordBytesMax = 32;

constexpr std::array<std::string_view, 12> kBlocking = {
    "BLMOVE",   "BLMPOP",   "BLPOP",   "BRPOP", "BRPOPLPUSH", "BZMPOP",
    "BZPOPMAX", "BZPOPMIN", "WAITAOF", "WAIT",  "XREAD",      "XREADGROUP"};

struct Refused {
  std::string_view name;
  std::string_view instead;
};

constexpr Refused kRefused[] = {
    {"AUTH", "ServerOptions::password"},
    {"DISCARD", "Transact(), which sends MULTI and EXEC together"},
    {"EXEC", "Transact()"},
    {"HELLO", "ServerOptions"},
    {"MONITOR", "redis-cli"},
    {"MULTI", "Transact()"},
    {"PSUBSCRIBE", "Subscribe()"},
    {"PSYNC", "a replica"},
    {"PUNSUBSCRIBE", "Subscribe()"},
    {"QUIT", "Close()"},
    {"RESET", "another connection"},
    {"SELECT", "ServerOptions::database"},
    {"SSUBSCRIBE", "Subscribe()"},
    {"SUBSCRIBE", "Subscribe()"},
    {"SUNSUBSCRIBE", "Subscribe()"},
    {"SYNC", "a replica"},
    {"UNSUBSCRIBE", "Subscribe()"},
    {"UNWATCH", "Connection::Unwatch()"},
    {"WATCH", "Connection::Watch()"},
};

std::string Capitals(std::string_view text) {
  std::string capitals(text.substr(0, kWordBytesMax));
  for (char& letter : capitals) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return capitals;
}

}  // namespace

Command::Command(std::initializer_list<Argument> arguments) {
  GROVE_CHECK(arguments.size() > 0, "a Redis command has a name");
  for (const Argument& argument : arguments) Add(argument);
}

Command& Command::Add(const Argument& argument) {
  const std::string_view text = argument.text();
  if (count_ == 0) {
    name_ = Capitals(text);
    const bool listed = std::find(kBlocking.begin(), kBlocking.end(), name_) != kBlocking.end();
    blocks_ = listed && !name_.starts_with('X');
  } else {
    if (count_ == 1) second_ = Capitals(text);
    // Streams are read with or without waiting.
    if ((name_ == "XREAD" || name_ == "XREADGROUP") && text.size() == 5) {
      blocks_ = blocks_ || Capitals(text) == "BLOCK";
    }
  }
  ++count_;
  StrAppend(&arguments_, "$", text.size(), "\r\n", text, "\r\n");
  return *this;
}

void Command::AppendTo(std::string& bytes) const {
  StrAppend(&bytes, "*", count_, "\r\n", arguments_);
}

absl::Status Command::MayBeSent() const {
  for (const Refused& refused : kRefused) {
    if (refused.name != name_) continue;
    return absl::InvalidArgumentError(
        StrCat("redis: ", name_, " is not for Run(): use ", refused.instead));
  }
  if (name_ == "CLIENT" && (second_ == "REPLY" || second_ == "TRACKING")) {
    return absl::InvalidArgumentError(
        StrCat("redis: CLIENT ", second_, " changes what is answered, and is not for Run()"));
  }
  return absl::OkStatus();
}

absl::Status Command::MayBeShared() const {
  if (blocks_) {
    return absl::InvalidArgumentError(
        StrCat("redis: ", name_, " would hold up all fibers of the connection: use one of Take()"));
  }
  return MayBeSent();
}

}  // namespace grove::redis
