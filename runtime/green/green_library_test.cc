#include "runtime/green/green_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "runtime/green/green_report.h"
#include "runtime/green/green_scope.h"
#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

// Linked so that all of it is bound when it is loaded, in tables that are read-only then, and so
// that each call is when it is first made.
constexpr char kFixture[] = "runtime/green/libblocking_fixture.so";
constexpr char kLazyFixture[] = "runtime/green/liblazy_fixture.so";

// What sanitizers' runtimes refuse, or do not survive.
#if defined(GROVE_ASAN) || defined(GROVE_TSAN)
constexpr bool kLoadsAnything = false;
#else
constexpr bool kLoadsAnything = true;
#endif
constexpr char kWhyNot[] = "sanitizers bear neither RTLD_DEEPBIND nor other namespaces";

// A library of libc's waiting calls alone, loaded anew for each test.
class GreenLibraryTest : public HubTest {
 protected:
  GreenLibraryTest() : HubTest({.stack_bytes = 256 * 1024}) {
    ResetGreenReport();
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_), 0);
  }
  ~GreenLibraryTest() override {
    close(ends_[0]);
    close(ends_[1]);
    if (library_ != nullptr) dlclose(library_);
  }

  void Load(int flags, const char* file = kFixture) {
    library_ = dlopen(file, flags);
    ASSERT_NE(library_, nullptr) << dlerror();
  }
  int Call(const char* name) const {
    using ReadsAByte = int(int);
    auto* const call = reinterpret_cast<ReadsAByte*>(dlsym(library_, name));
    const GreenScope green;
    return call(ends_[0]);
  }
  void Say(char byte) { EXPECT_EQ(write(ends_[1], &byte, 1), 1); }
  static uint64_t Reads() {
    uint64_t count = 0;
    for (const GreenCall& call : GreenReport()) {
      if (call.library.find("_fixture.so") == std::string::npos) continue;
      for (const uint64_t each : call.counts) count += each;
    }
    return count;
  }
  // The byte is written by a fiber that runs only once the caller has parked.
  void ExpectParks() {
    FiberHandle other = *Spawn("other", [this] { Say('x'); });
    EXPECT_EQ(Call("ReadByLibc"), 'x');
    EXPECT_TRUE(other.Join().ok());
    EXPECT_EQ(Reads(), 1u) << GreenReportText();
  }
  // It is there before, or the thread would block.
  void ExpectIsNotSeen(const char* name) {
    Say('y');
    EXPECT_EQ(Call(name), 'y');
    EXPECT_EQ(Reads(), 0u) << GreenReportText();
  }

  int ends_[2] = {-1, -1};
  void* library_ = nullptr;
};

TEST_F(GreenLibraryTest, WhatIsLoadedLaterCallsTheProgramsWhateverItsScope) {
  for (const int flags : {RTLD_NOW | RTLD_LOCAL, RTLD_LAZY | RTLD_LOCAL, RTLD_NOW | RTLD_GLOBAL}) {
    ResetGreenReport();
    Run([&] {
      Load(flags);
      ExpectParks();
      EXPECT_EQ(*GreenLibrary(library_), 0) << "nothing was left to do";
      dlclose(std::exchange(library_, nullptr));
    });
  }
}

TEST_F(GreenLibraryTest, WhatIsBoundToItsOwnDependenciesFirstIsNotSeenUntilItIsRedirected) {
  if (!kLoadsAnything) GTEST_SKIP() << kWhyNot;
  for (const char* const file : {kFixture, kLazyFixture}) {
    ResetGreenReport();
    Run([&] {
      Load(RTLD_LAZY | RTLD_DEEPBIND, file);
      ExpectIsNotSeen("ReadByLibc");
      EXPECT_EQ(*GreenLibrary(library_), 1);
      ExpectParks();
      EXPECT_EQ(*GreenLibrary(library_), 0);
      dlclose(std::exchange(library_, nullptr));
    });
  }
}

TEST_F(GreenLibraryTest, WhatHasCalledNothingYetIsRedirectedToo) {
  if (!kLoadsAnything) GTEST_SKIP() << kWhyNot;
  Run([&] {
    Load(RTLD_LAZY | RTLD_DEEPBIND, kLazyFixture);
    EXPECT_EQ(*GreenLibrary(library_), 1);
    ExpectParks();
  });
}

TEST_F(GreenLibraryTest, WhatPassesLibcByOrStaysInsideItIsNotSeen) {
  Run([&] {
    Load(RTLD_NOW);
    ExpectIsNotSeen("ReadBySystemCall");
    ExpectIsNotSeen("ReadByStdio");
  });
}

TEST_F(GreenLibraryTest, AnotherNamespaceHasALibcOfItsOwn) {
  if (!kLoadsAnything) GTEST_SKIP() << kWhyNot;
  library_ = dlmopen(LM_ID_NEWLM, kFixture, RTLD_NOW);
  ASSERT_NE(library_, nullptr) << dlerror();
  EXPECT_TRUE(absl::IsFailedPrecondition(GreenLibrary(library_).status()));
  Run([&] { ExpectIsNotSeen("ReadByLibc"); });
}

TEST_F(GreenLibraryTest, KnowsAllCallsThatTheProgramExports) {
  std::set<std::string> exported;
  std::ifstream build("runtime/green/BUILD.bazel");
  bool is_listed = false;
  for (std::string line; std::getline(build, line);) {
    if (line == "_CALLS = [") is_listed = true;
    if (line == "]") is_listed = false;
    const size_t begin = line.find('"');
    if (is_listed && begin != line.npos) {
      exported.insert(line.substr(begin + 1, line.rfind('"') - begin - 1));
    }
  }
  const auto calls = GreenedCalls();
  EXPECT_EQ(std::set<std::string>(calls.begin(), calls.end()), exported);
  for (const char* const call : calls) {
    Dl_info info{};
    ASSERT_NE(dladdr(dlsym(RTLD_DEFAULT, call), &info), 0) << call;
    EXPECT_NE(std::string(info.dli_fname).find("green_library_test"), std::string::npos) << call;
  }
}

}  // namespace
}  // namespace grove
