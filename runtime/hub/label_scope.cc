#include "runtime/hub/label_scope.h"

#include <utility>

#include "runtime/hub/hub.h"

namespace grove {

LabelScope::LabelScope(std::shared_ptr<const FiberLabel> label)
    : fiber_(*Hub::CurrentOrDie().running()), before_(fiber_.SetLabel(std::move(label))) {}

LabelScope::~LabelScope() {
  fiber_.SetLabel(std::move(before_));
}

}  // namespace grove
