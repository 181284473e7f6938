// slow_disk: fsync(2) and fdatasync(2) of who preloads it take as long as a test says.
//
// GROVE_TEST_SYNC_MS names a file of one int32: the milliseconds that each call takes beside the
// disk's own; below 0 until that changes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const int32_t kLookMs = 5;
static const volatile int32_t* sync_ms;

__attribute__((constructor)) static void MapFile(void) {
  const char* const path = getenv("GROVE_TEST_SYNC_MS");
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void* const mapped = mmap(NULL, sizeof(*sync_ms), PROT_READ, MAP_SHARED, fd, 0);
  if (mapped != MAP_FAILED) sync_ms = mapped;
  close(fd);
}

static void Delay(void) {
  const struct timespec look = {.tv_nsec = kLookMs * 1000000L};
  if (sync_ms == NULL) return;
  for (int32_t waited = 0; *sync_ms < 0 || waited < *sync_ms; waited += kLookMs) {
    nanosleep(&look, NULL);
  }
}

int fsync(int fd) {
  Delay();
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  Delay();
  return (int)syscall(SYS_fdatasync, fd);
}
