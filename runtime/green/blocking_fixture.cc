// A library that blocks, by all the ways there are: a shared object that tests
// load.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

extern "C" {

// Each reads a byte of `fd`.
int ReadByLibc(int fd) {
  char byte = 0;
  return read(fd, &byte, 1) == 1 ? byte : -1;
}

int ReadBySystemCall(int fd) {
  char byte = 0;
  return syscall(SYS_read, fd, &byte, 1) == 1 ? byte : -1;
}

int ReadByStdio(int fd) {
  FILE* const file = fdopen(dup(fd), "r");
  setvbuf(file, nullptr, _IONBF, 0);
  const int byte = getc(file);
  fclose(file);
  return byte;
}
}
