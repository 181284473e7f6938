// What is where, and why a death at any moment leaves it right.
//
//   header | buckets | owners | expiries | links | rows
//
// A row is free while its owner's word is 0. A bucket's holder takes one by exchanging that word
// for the bucket's (rows are everybody's: the exchange is atomic), writes the key and the first
// value, then says that it counts, then links it. Going back it takes the same steps in reverse. So
// a row that names a bucket and has no value that counts is one whose writer has died: only that
// bucket's holder has to do with it, and the kernel tells the next one (EOWNERDEAD). Chains are
// worth nothing then: they are made anew of the owners' words.
//
// Stores of one thread reach memory in their order as far as a signal can tell, if the compiler
// keeps it: the words that decide are atomic and stored with release.
//
// Owners and expiries stand together, apart from the rows: looking for a free row, or for one that
// has expired, reads 12 bytes of each, not a page. The expiry there is a hint; the row's holds.
#include "server/shared/table_memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::shared {
namespace {

constexpr uint32_t kMagic = 0x6774626c;
// Chains of a few rows; more buckets than this are memory for nothing.
constexpr int kRowsPerBucket = 4;
constexpr uint32_t kBucketsMin = 16;
constexpr uint32_t kBucketsMax = 65'536;
// In an owner's word, beside the bucket's number and one.
constexpr uint32_t kLockBit = uint32_t{1} << 31;
constexpr size_t kLine = 64;

constexpr size_t RoundUp(size_t bytes, size_t to) {
  return (bytes + to - 1) / to * to;
}

uint32_t OwnerOf(uint32_t bucket, RowKind kind) {
  return (bucket + 1) | (kind == RowKind::kLock ? kLockBit : 0);
}

// FNV-1a, the same in every process, then mixed: its low bits alone are poor.
uint64_t HashOf(uint64_t seed, RowKind kind, std::string_view key) {
  uint64_t hash = seed ^ 0xcbf29ce484222325 ^ static_cast<uint64_t>(kind);
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  return hash ^ (hash >> 33);
}

absl::Status NoTableOfThisLayout(std::string_view why) {
  return absl::FailedPreconditionError(
      StrCat("not a shared table of layout ", TableMemory::kLayout, ": ", why));
}

// For all processes, and told if its holder has died.
int MakeMutex(pthread_mutex_t* mutex) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int error = pthread_mutex_init(mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return error;
}

// Of the wait for a bucket. Whoever is woken for it may be killed before it has it, and then nobody
// wakes the next one: it has to look again itself.
constexpr absl::Duration kHoldSlice = absl::Milliseconds(10);

absl::Duration NowOfHold() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

// Written by Create alone, but for the atomic words.
struct alignas(kLine) TableMemory::Header {
  uint32_t magic;
  uint32_t layout;
  int32_t rows;
  int32_t value_bytes;
  uint32_t buckets;
  uint32_t padding;
  uint64_t seed;
  std::atomic<uint64_t> next_token;
  std::atomic<uint64_t> next_version;
  std::atomic<uint64_t> refusals;
  std::atomic<uint32_t> free_hint;  // where to look for a free row first
};

struct alignas(kLine) TableMemory::Bucket {
  pthread_mutex_t mutex;
  uint32_t first;  // a row and one; 0: it has none
};

// A value, and behind it room for the longest.
struct TableMemory::Place {
  uint64_t version;
  int64_t expires;
  uint64_t bytes;

  char* text() { return reinterpret_cast<char*>(this + 1); }
};

struct alignas(kLine) TableMemory::Row {
  std::atomic<uint32_t> counts;  // which place does, and one; 0: none
  uint32_t key_bytes;
  char key[kKeyBytesMax + 1];
};

static_assert(std::atomic<uint64_t>::is_always_lock_free, "rows are shared by processes");
static_assert(std::atomic<uint32_t>::is_always_lock_free, "rows are shared by processes");

// Where everything is; cheap to make.
struct TableMemory::Layout {
  Layout(Header* header, const TableSize& size, uint32_t buckets)
      : place_bytes(sizeof(Place) + RoundUp(static_cast<size_t>(size.value_bytes), 8)),
        row_bytes(RoundUp(sizeof(Row) + 2 * place_bytes, kLine)),
        begin(reinterpret_cast<char*>(header)),
        owners_at(sizeof(Header) + buckets * sizeof(Bucket)),
        expiries_at(RoundUp(owners_at + static_cast<size_t>(size.rows) * 4, kLine)),
        links_at(RoundUp(expiries_at + static_cast<size_t>(size.rows) * 8, kLine)),
        rows_at(RoundUp(links_at + static_cast<size_t>(size.rows) * 4, kLine)),
        bytes(rows_at + static_cast<size_t>(size.rows) * row_bytes) {}

  static uint32_t BucketsFor(int rows) {
    return std::clamp(std::bit_ceil(static_cast<uint32_t>(rows / kRowsPerBucket)), kBucketsMin,
                      kBucketsMax);
  }
  Bucket& bucket(uint32_t index) const {
    return reinterpret_cast<Bucket*>(begin + sizeof(Header))[index];
  }
  std::atomic<uint32_t>& owner(uint32_t row) const {
    return reinterpret_cast<std::atomic<uint32_t>*>(begin + owners_at)[row];
  }
  std::atomic<int64_t>& expiry(uint32_t row) const {
    return reinterpret_cast<std::atomic<int64_t>*>(begin + expiries_at)[row];
  }
  // To the next row of the same bucket, and one; 0: it is the last.
  uint32_t& link(uint32_t row) const { return reinterpret_cast<uint32_t*>(begin + links_at)[row]; }
  Row& row(uint32_t index) const {
    return *reinterpret_cast<Row*>(begin + rows_at + index * row_bytes);
  }
  Place& place(uint32_t row, uint32_t which) const {
    return *reinterpret_cast<Place*>(begin + rows_at + row * row_bytes + sizeof(Row) +
                                     which * place_bytes);
  }
  // The one that counts. Requires: one does.
  Place& place(uint32_t index) const {
    return place(index, row(index).counts.load(std::memory_order_acquire) - 1);
  }

  size_t place_bytes;
  size_t row_bytes;
  char* begin;
  size_t owners_at;
  size_t expiries_at;
  size_t links_at;
  size_t rows_at;
  size_t bytes;
};

LockState LockState::Of(std::string_view value) {
  LockState state;
  memcpy(&state, value.data(), std::min(value.size(), sizeof(state)));
  return state;
}

// --- Life

absl::StatusOr<TableMemory> TableMemory::Create(const TableSize& size, uint64_t first_token) {
  const uint32_t buckets = Layout::BucketsFor(size.rows);
  const size_t bytes = Layout(nullptr, size, buckets).bytes;
  const int fd = memfd_create("grove-shared-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return ErrnoStatus(errno, "shared table: memfd_create");
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0 ||
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    absl::Status status = ErrnoStatus(errno, "shared table: sizing the memory file");
    close(fd);
    return status;
  }
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    absl::Status status = ErrnoStatus(errno, StrCat("shared table: mmap of ", bytes, " bytes"));
    close(fd);
    return status;
  }
  TableMemory table(fd, static_cast<Header*>(memory), bytes);
  Header& header = *table.header_;  // A new memory file reads as zeros.
  header.layout = kLayout;
  header.rows = size.rows;
  header.value_bytes = size.value_bytes;
  header.buckets = buckets;
  header.next_token = first_token;
  header.next_version = 1;
  if (getrandom(&header.seed, sizeof(header.seed), 0) != sizeof(header.seed)) {
    return ErrnoStatus(errno, "shared table: getrandom");
  }
  for (uint32_t bucket = 0; bucket < buckets; ++bucket) {
    const int error = MakeMutex(&table.layout().bucket(bucket).mutex);
    if (error != 0) return ErrnoStatus(error, "shared table: pthread_mutex_init");
  }
  header.magic = kMagic;
  return table;
}

absl::StatusOr<TableMemory> TableMemory::Open(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return ErrnoStatus(errno, "shared table: fstat");
  const auto bytes = static_cast<size_t>(status.st_size);
  if (bytes < sizeof(Header)) return NoTableOfThisLayout(StrCat(bytes, " bytes"));
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return ErrnoStatus(errno, "shared table: dup");
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
  if (memory == MAP_FAILED) {
    absl::Status mapped = ErrnoStatus(errno, StrCat("shared table: mmap of ", bytes, " bytes"));
    close(own);
    return mapped;
  }
  TableMemory table(own, static_cast<Header*>(memory), bytes);
  const Header& header = *table.header_;
  if (header.magic != kMagic) return NoTableOfThisLayout("no magic number");
  if (header.layout != kLayout) return NoTableOfThisLayout(StrCat("layout ", header.layout));
  if (table.layout().bytes != bytes) return NoTableOfThisLayout(StrCat(bytes, " bytes"));
  return table;
}

TableMemory::TableMemory(TableMemory&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      header_(std::exchange(other.header_, nullptr)),
      bytes_(other.bytes_) {}

TableMemory::~TableMemory() {
  if (header_ == nullptr) return;
  munmap(header_, bytes_);
  close(fd_);
}

TableMemory::Layout TableMemory::layout() const {
  return Layout(header_, size(), header_->buckets);
}

TableSize TableMemory::size() const {
  return {.rows = header_->rows, .value_bytes = header_->value_bytes};
}

// --- Buckets

absl::Status TableMemory::Hold(uint32_t bucket) {
  pthread_mutex_t& mutex = layout().bucket(bucket).mutex;
  int error = pthread_mutex_trylock(&mutex);
  if (error == EBUSY) {
    const absl::Duration begun = NowOfHold();
    absl::Duration until = begun;
    do {
      until += kHoldSlice;
      const timespec slice = absl::ToTimespec(until);
      error = pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &slice);
    } while (error == ETIMEDOUT && until < begun + kHoldWaitMax);
  }
  if (error == EOWNERDEAD) {
    Rebuild(bucket);
    error = pthread_mutex_consistent(&mutex);
  }
  if (error == 0) return absl::OkStatus();
  return absl::UnavailableError(
      StrCat("a bucket of the shared table is held by a process that does not go on: ",
             ErrnoStatus(error, "pthread_mutex_clocklock").message()));
}

void TableMemory::Release(uint32_t bucket) {
  pthread_mutex_unlock(&layout().bucket(bucket).mutex);
}

void TableMemory::Rebuild(uint32_t bucket) {
  const Layout all = layout();
  all.bucket(bucket).first = 0;
  for (uint32_t row = 0; row < static_cast<uint32_t>(header_->rows); ++row) {
    if ((all.owner(row).load(std::memory_order_acquire) & ~kLockBit) != bucket + 1) continue;
    if (all.row(row).counts.load(std::memory_order_acquire) == 0) {
      all.owner(row).store(0, std::memory_order_release);
      continue;
    }
    all.expiry(row).store(all.place(row).expires, std::memory_order_relaxed);
    all.link(row) = std::exchange(all.bucket(bucket).first, row + 1);
  }
}

uint32_t TableMemory::Find(uint32_t bucket, RowKind kind, std::string_view key) const {
  const Layout all = layout();
  for (uint32_t next = all.bucket(bucket).first; next != 0; next = all.link(next - 1)) {
    const uint32_t row = next - 1;
    if (all.owner(row).load(std::memory_order_relaxed) != OwnerOf(bucket, kind)) continue;
    if (std::string_view(all.row(row).key, all.row(row).key_bytes) == key) return row;
  }
  return kNone;
}

uint32_t TableMemory::Claim(uint32_t bucket, RowKind kind, std::string_view key) {
  const Layout all = layout();
  const auto rows = static_cast<uint32_t>(header_->rows);
  const uint32_t begin = header_->free_hint.load(std::memory_order_relaxed) % rows;
  for (uint32_t i = 0; i < rows; ++i) {
    const uint32_t row = (begin + i) % rows;
    uint32_t nobody = 0;
    if (all.owner(row).load(std::memory_order_relaxed) != 0) continue;
    if (!all.owner(row).compare_exchange_strong(nobody, OwnerOf(bucket, kind))) continue;
    header_->free_hint.store(row + 1, std::memory_order_relaxed);
    Row& claimed = all.row(row);
    claimed.key_bytes = static_cast<uint32_t>(key.size());
    key.copy(claimed.key, key.size());
    return row;
  }
  return kNone;
}

void TableMemory::Write(uint32_t row, std::string_view value, MonotonicNanos expires) {
  const Layout all = layout();
  const uint32_t other = all.row(row).counts.load(std::memory_order_relaxed) == 1 ? 1 : 0;
  Place& place = all.place(row, other);
  place.version = header_->next_version.fetch_add(1, std::memory_order_relaxed);
  place.expires = expires;
  place.bytes = value.size();
  value.copy(place.text(), value.size());
  all.row(row).counts.store(other + 1, std::memory_order_release);
  all.expiry(row).store(expires, std::memory_order_relaxed);
}

void TableMemory::Erase(uint32_t bucket, uint32_t row) {
  const Layout all = layout();
  all.row(row).counts.store(0, std::memory_order_release);
  uint32_t* link = &all.bucket(bucket).first;
  while (*link != row + 1) link = &all.link(*link - 1);
  *link = all.link(row);
  all.owner(row).store(0, std::memory_order_release);
  header_->free_hint.store(row, std::memory_order_relaxed);
}

// --- Rows

absl::Status TableMemory::Change(RowKind kind, std::string_view key, MonotonicNanos now,
                                 Decision decide) {
  const std::string_view what = kind == RowKind::kLock ? "a lock's name" : "a row's key";
  if (key.empty()) return absl::InvalidArgumentError(StrCat(what, " is empty"));
  if (key.size() > kKeyBytesMax) {
    return absl::InvalidArgumentError(
        StrCat(what, " of ", key.size(), " bytes: it may have ", kKeyBytesMax));
  }
  for (bool swept = false;; swept = true) {
    absl::StatusOr<bool> changed = TryChange(kind, key, now, decide);
    if (!changed.ok()) return changed.status();
    if (*changed) return absl::OkStatus();
    if (swept || !Sweep(now)) break;
  }
  header_->refusals.fetch_add(1, std::memory_order_relaxed);
  return absl::ResourceExhaustedError(
      StrCat("the shared table is full: it has ", header_->rows, " rows (shared_table.rows_max)"));
}

absl::StatusOr<bool> TableMemory::TryChange(RowKind kind, std::string_view key, MonotonicNanos now,
                                            Decision decide) {
  const Layout all = layout();
  const auto bucket =
      static_cast<uint32_t>(HashOf(header_->seed, kind, key) & (header_->buckets - 1));
  if (absl::Status held = Hold(bucket); !held.ok()) return held;
  const absl::Cleanup releasing = [&] { Release(bucket); };
  uint32_t row = Find(bucket, kind, key);
  if (row != kNone && all.place(row).expires <= now) {
    Erase(bucket, row);
    row = kNone;
  }
  RowView view;
  if (row != kNone) {
    Place& place = all.place(row);
    view = {
        .value = {place.text(), place.bytes}, .expires = place.expires, .version = place.version};
  }
  const absl::StatusOr<RowEdit> edit = decide(row == kNone ? nullptr : &view);
  if (!edit.ok()) return edit.status();
  if (edit->kind == RowEdit::Kind::kErase && row != kNone) Erase(bucket, row);
  if (edit->kind != RowEdit::Kind::kPut) return true;
  if (edit->value.size() > static_cast<size_t>(header_->value_bytes)) {
    return absl::InvalidArgumentError(StrCat("a row's value of ", edit->value.size(),
                                             " bytes: it may have ", header_->value_bytes,
                                             " (shared_table.value_max_bytes)"));
  }
  if (row != kNone) {
    Write(row, edit->value, edit->expires);
    return true;
  }
  row = Claim(bucket, kind, key);
  if (row == kNone) return false;
  Write(row, edit->value, edit->expires);
  all.link(row) = std::exchange(all.bucket(bucket).first, row + 1);
  return true;
}

bool TableMemory::Sweep(MonotonicNanos now) {
  const Layout all = layout();
  bool any = false;
  for (uint32_t row = 0; row < static_cast<uint32_t>(header_->rows); ++row) {
    const uint32_t owner = all.owner(row).load(std::memory_order_acquire);
    if (owner == 0 || all.expiry(row).load(std::memory_order_relaxed) > now) continue;
    const uint32_t bucket = (owner & ~kLockBit) - 1;
    if (!Hold(bucket).ok()) continue;
    // It may have been written since, or be another bucket's.
    if (all.owner(row).load(std::memory_order_relaxed) == owner &&
        all.row(row).counts.load(std::memory_order_relaxed) != 0 && all.place(row).expires <= now) {
      Erase(bucket, row);
      any = true;
    }
    Release(bucket);
  }
  return any;
}

uint64_t TableMemory::NextToken() {
  return header_->next_token.fetch_add(1, std::memory_order_relaxed);
}

int TableMemory::ReleaseLocksOf(pid_t holder) {
  const Layout all = layout();
  // Where it has died in one of them, its half-made row is freed.
  for (uint32_t bucket = 0; bucket < header_->buckets; ++bucket) {
    if (Hold(bucket).ok()) Release(bucket);
  }
  int released = 0;
  for (uint32_t row = 0; row < static_cast<uint32_t>(header_->rows); ++row) {
    const uint32_t owner = all.owner(row).load(std::memory_order_acquire);
    if ((owner & kLockBit) == 0) continue;
    const uint32_t bucket = (owner & ~kLockBit) - 1;
    if (!Hold(bucket).ok()) continue;
    if (all.owner(row).load(std::memory_order_relaxed) == owner &&
        all.row(row).counts.load(std::memory_order_relaxed) != 0) {
      Place& place = all.place(row);
      if (LockState::Of({place.text(), place.bytes}).holder == holder) {
        Erase(bucket, row);
        ++released;
      }
    }
    Release(bucket);
  }
  return released;
}

TableUse TableMemory::use() const {
  const Layout all = layout();
  TableUse use{.refusals = header_->refusals.load(std::memory_order_relaxed)};
  for (uint32_t row = 0; row < static_cast<uint32_t>(header_->rows); ++row) {
    const uint32_t owner = all.owner(row).load(std::memory_order_relaxed);
    if (owner != 0) ++use.rows;
    if ((owner & kLockBit) != 0) ++use.locks;
  }
  return use;
}

}  // namespace grove::shared
