// DagInputs: what a body of a DagPool gets of the nodes it depends on.
//
// The values as of the body's start; valid as long as the body runs. Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_DAG_INPUTS_H_
#define GROVE_RUNTIME_GROUP_DAG_INPUTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "runtime/group/dag_graph.h"
#include "runtime/hub/check.h"

namespace grove {

template <typename Value>
class DagInputs {
 public:
  DagInputs(const std::string& key, const std::vector<DagInput>& inputs)
      : key_(key), inputs_(inputs) {}

  // The key of the node whose body this is.
  std::string_view key() const { return key_; }
  size_t size() const { return inputs_.size(); }
  // Requires: the node depends on `key`.
  const Value& operator[](std::string_view key) const {
    for (const DagInput& input : inputs_) {
      if (*input.key == key) return ValueOf(input);
    }
    CheckFailed(__FILE__, __LINE__, "the node depends on the key", key);
  }
  // `visit(key, value)` for each dependency, in the order of their keys.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const DagInput& input : inputs_) visit(std::string_view(*input.key), ValueOf(input));
  }

 private:
  static const Value& ValueOf(const DagInput& input) {
    return *static_cast<const Value*>(input.value.get());
  }

  const std::string& key_;
  const std::vector<DagInput>& inputs_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_DAG_INPUTS_H_
