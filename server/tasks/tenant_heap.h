// TenantHeap: which tenant has the smallest key.
//
// A binary heap over tenants' indices that knows each one's position, so that any of them can be
// moved or removed without a search. Among equal keys the one whose key was set first comes first.
#ifndef GROVE_SERVER_TASKS_TENANT_HEAP_H_
#define GROVE_SERVER_TASKS_TENANT_HEAP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace grove::tasks {

class TenantHeap {
 public:
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  bool Contains(size_t tenant) const {
    return tenant < positions_.size() && positions_[tenant] != kNowhere;
  }
  // Require that it is not empty.
  size_t Top() const { return heap_.front().tenant; }
  double TopKey() const { return heap_.front().key; }

  // Adds it, or gives it another key.
  void Set(size_t tenant, double key);
  // Nothing happens if it is not there.
  void Remove(size_t tenant);

 private:
  static constexpr uint32_t kNowhere = UINT32_MAX;

  struct Entry {
    double key;
    uint64_t since;
    uint32_t tenant;
  };

  static bool Before(const Entry& a, const Entry& b) {
    return a.key != b.key ? a.key < b.key : a.since < b.since;
  }
  void Put(uint32_t position, const Entry& entry);
  void SiftUp(uint32_t position, Entry entry);
  void SiftDown(uint32_t position, Entry entry);
  void Sift(uint32_t position, const Entry& entry);

  std::vector<Entry> heap_;
  // By tenant.
  std::vector<uint32_t> positions_;
  uint64_t sets_ = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TENANT_HEAP_H_
