// LabelScope: on whose behalf the running fiber runs, until the end of a scope.
//
// For a fiber that serves one after the other: requests on a connection, tenants in a loop. What it
// spawns meanwhile inherits the label, as always. Scopes nest. Lives on the stack of the fiber,
// which alone may make it.
#ifndef GROVE_RUNTIME_HUB_LABEL_SCOPE_H_
#define GROVE_RUNTIME_HUB_LABEL_SCOPE_H_

#include <memory>

#include "runtime/hub/fiber.h"

namespace grove {

class LabelScope {
 public:
  // Null: on nobody's.
  explicit LabelScope(std::shared_ptr<const FiberLabel> label);
  ~LabelScope();
  LabelScope(const LabelScope&) = delete;
  LabelScope& operator=(const LabelScope&) = delete;

 private:
  Fiber& fiber_;
  std::shared_ptr<const FiberLabel> before_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_LABEL_SCOPE_H_
