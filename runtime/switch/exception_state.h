// ExceptionState: whether the calling thread has C++ exceptions in flight.
//
// The C++ runtime keeps them per thread (__cxa_eh_globals, Itanium C++ ABI 2.2.2): a fiber that
// switched away inside a catch block would leave its exception to whoever runs next. Keeping them
// per fiber would cost every switch a copy out and in; instead no fiber may park there (the hub
// dies if one does), so that the state is empty at every switch. Owned by a hub; its thread only.
#ifndef GROVE_RUNTIME_SWITCH_EXCEPTION_STATE_H_
#define GROVE_RUNTIME_SWITCH_EXCEPTION_STATE_H_

#include <cxxabi.h>

#include <utility>

namespace grove {

class ExceptionState {
  struct Globals {
    void* caught;
    unsigned int uncaught;
  };

 public:
  // Of the calling thread, from now on.
  void BindToThread() { globals_ = reinterpret_cast<Globals*>(abi::__cxa_get_globals()); }

  // Whether the thread is inside a catch block right now, or in a destructor that unwinding runs.
  bool InException() const { return (globals_->caught != nullptr) | (globals_->uncaught != 0); }

  // While it lives, the thread is as if outside of any catch block: a hub may be run in one.
  class Aside {
   public:
    explicit Aside(ExceptionState& state)
        : globals_(*state.globals_), kept_(std::exchange(globals_, {})) {}
    ~Aside() { globals_ = kept_; }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;

   private:
    Globals& globals_;
    const Globals kept_;
  };

 private:
  Globals* globals_ = nullptr;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SWITCH_EXCEPTION_STATE_H_
