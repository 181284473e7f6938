#include "server/tasks/volatile_handover.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grove/internal/v1/handover.pb.h"
#include "grove/v1/task_service.pb.h"
#include "runtime/switch/errno_status.h"

namespace grove::tasks {
namespace {

constexpr size_t kLengthBytes = 4;

absl::Status WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoStatus(errno, "write the memory file of volatile tasks");
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

// One spec with its input: serialized messages, one behind the other, are one.
std::string WithInput(const StoredTask& task) {
  v1::TaskSpec input;
  input.set_input(task.input);
  return task.spec + input.SerializeAsString();
}

std::string Frame(const StoredTask& task) {
  internal::v1::VolatileTask record;
  record.set_id_high(task.id.high);
  record.set_id_low(task.id.low);
  record.set_tenant(task.tenant);
  record.set_queue(task.queue);
  record.set_spec(WithInput(task));
  record.set_progress(task.progress.task);
  record.set_attempt(task.progress.attempt);
  record.set_incarnation(task.progress.incarnation);
  record.set_worker(task.progress.worker);
  record.set_failures(task.progress.failures);
  record.set_interruptions(task.progress.interruptions);
  record.set_end_time_us(task.progress.end_time_us);
  const size_t size = record.ByteSizeLong();
  std::string frame;
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(size >> shift));
  record.AppendToString(&frame);
  return frame;
}

StoredTask TaskOf(internal::v1::VolatileTask record) {
  StoredTask task;
  task.id = {record.id_high(), record.id_low()};
  task.tenant = std::move(*record.mutable_tenant());
  task.queue = std::move(*record.mutable_queue());
  task.spec = std::move(*record.mutable_spec());
  task.progress.task = std::move(*record.mutable_progress());
  task.progress.attempt = record.attempt();
  task.progress.incarnation = record.incarnation();
  task.progress.worker = record.worker();
  task.progress.failures = record.failures();
  task.progress.interruptions = record.interruptions();
  task.progress.end_time_us = record.end_time_us();
  return task;
}

}  // namespace

absl::StatusOr<int64_t> WriteVolatileTasks(const TaskEngine& engine, int fd) {
  if (absl::Status emptied = EmptyVolatileTasks(fd); !emptied.ok()) return emptied;
  int64_t count = 0;
  absl::Status written;
  engine.ForEachVolatile([&](const StoredTask& task) {
    if (written.ok()) written = WriteAll(fd, Frame(task));
    ++count;
  });
  if (written.ok()) return count;
  EmptyVolatileTasks(fd).IgnoreError();
  return absl::Status(written.code(), absl::StrCat(written.message(), "; ", count,
                                                   " volatile tasks are in memory"));
}

absl::Status EmptyVolatileTasks(int fd) {
  if (ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "empty the memory file of volatile tasks");
}

StoredTask VolatileTaskReader::Take() {
  StoredTask task = *std::move(next_);
  Advance();
  return task;
}

void VolatileTaskReader::Advance() {
  next_.reset();
  if (!Read(kLengthBytes)) {
    // What is left is less than a length.
    if (!bytes_.empty()) status_ = absl::DataLossError("the volatile tasks end in a length");
    return;
  }
  size_t size = 0;
  for (const char byte : bytes_) size = size << 8 | static_cast<unsigned char>(byte);
  internal::v1::VolatileTask record;
  if (!Read(size) || !record.ParseFromString(bytes_)) {
    status_ = absl::DataLossError(
        absl::StrCat("no volatile task of ", size, " bytes at byte ", offset_, " of their file"));
    return;
  }
  next_ = TaskOf(std::move(record));
}

bool VolatileTaskReader::Read(size_t size) {
  bytes_.clear();
  struct stat info;
  // Before memory is made for a length that may be any number.
  if (fstat(fd_, &info) != 0) return false;
  if (offset_ + static_cast<int64_t>(size) > info.st_size) {
    bytes_.assign(static_cast<size_t>(info.st_size - offset_), '\0');
    return false;
  }
  bytes_.resize(size);
  for (size_t used = 0; used < size;) {
    const ssize_t got = pread(fd_, bytes_.data() + used, size - used, offset_);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    used += static_cast<size_t>(got);
    offset_ += got;
  }
  return true;
}

}  // namespace grove::tasks
