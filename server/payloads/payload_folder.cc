#include "server/payloads/payload_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/payloads/payload_file.h"

namespace grove::payloads {
namespace {

absl::StatusOr<std::vector<std::string>> List(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), &closedir);
  if (folder == nullptr) return ErrnoStatus(errno, StrCat("open ", path));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(folder.get())) names.emplace_back(entry->d_name);
  if (errno != 0) return ErrnoStatus(errno, StrCat("read ", path));
  return names;
}

// Whether nobody writes it any more: the lock of who did is gone with the process.
bool IsLitter(const std::string& path) {
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return fd.get() >= 0 && flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && unlink(path.c_str()) == 0;
}

}  // namespace

std::string NewPayloadId(int64_t now_ms) {
  std::array<unsigned char, 16> bits = {};
  for (size_t i = 0; i < 6; ++i) bits[i] = static_cast<unsigned char>(now_ms >> (40 - 8 * i));
  GROVE_CHECK(RAND_bytes(&bits[6], 10) == 1, "there is no source of random numbers");
  constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  // 130 bits, of which the first two are none.
  std::string text;
  for (int bit = -2; bit < 128; bit += 5) {
    int value = 0;
    for (int i = std::max(bit, 0); i < bit + 5; ++i) {
      value = value << 1 | (bits[static_cast<size_t>(i / 8)] >> (7 - i % 8) & 1);
    }
    text.push_back(kCrockford[static_cast<size_t>(value)]);
  }
  return text;
}

std::string PayloadFolderOf(std::string_view state_dir) {
  return StrCat(state_dir, "/payloads");
}

absl::Status PayloadFolder::Create() const {
  if (mkdir(path_.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, StrCat("mkdir ", path_));
}

std::string PayloadFolder::FileOf(std::string_view id) {
  return StrCat(id, kPayloadSuffix);
}

std::string PayloadFolder::PathOf(std::string_view id) const {
  return StrCat(path_, "/", FileOf(id));
}

absl::Status PayloadFolder::ForEach(absl::FunctionRef<void(std::string_view, v1::Payload)> each,
                                    std::vector<std::string>& damaged) const {
  const absl::StatusOr<std::vector<std::string>> names = List(path_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (!name.ends_with(kPayloadSuffix)) continue;
    const std::string_view id(name.data(), name.size() - kPayloadSuffix.size());
    const auto reader = PayloadReader::Open(PathOf(id));
    if (reader.ok()) {
      each(id, (*reader)->head());
    } else if (absl::IsDataLoss(reader.status())) {
      damaged.push_back(name);
    } else {
      return reader.status();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<int> PayloadFolder::Sweep(const std::vector<std::string>& spared) const {
  const absl::StatusOr<std::vector<std::string>> names = List(path_);
  if (!names.ok()) return names.status();
  int swept = 0;
  for (const std::string& name : *names) {
    if (!name.ends_with(kPartSuffix)) continue;
    if (std::find(spared.begin(), spared.end(), name) != spared.end()) continue;
    swept += IsLitter(StrCat(path_, "/", name));
  }
  return swept;
}

absl::StatusOr<v1::Payload> PayloadFolder::Adopt(std::string_view id) const {
  const std::string part = StrCat(path_, "/", id, kPartSuffix);
  const auto reader = PayloadReader::Open(part);
  if (!reader.ok()) {
    // A control before this one may have come as far.
    const auto whole = PayloadReader::Open(PathOf(id));
    if (!whole.ok()) return reader.status();
    return (*whole)->head();
  }
  if (rename(part.c_str(), PathOf(id).c_str()) != 0) {
    return ErrnoStatus(errno, StrCat("rename ", part));
  }
  if (absl::Status synced = Sync(); !synced.ok()) return synced;
  return (*reader)->head();
}

absl::Status PayloadFolder::Remove(std::string_view id) const {
  if (unlink(PathOf(id).c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus(errno, StrCat("unlink ", PathOf(id)));
}

void PayloadFolder::RemovePart(std::string_view id) const {
  unlink(StrCat(path_, "/", id, kPartSuffix).c_str());
}

absl::Status PayloadFolder::Sync() const {
  const FileDescriptor fd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoStatus(errno, StrCat("open ", path_));
  if (fsync(fd.get()) != 0) return ErrnoStatus(errno, StrCat("fsync ", path_));
  return absl::OkStatus();
}

}  // namespace grove::payloads
