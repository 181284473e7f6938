// Endpoints: the sockets that the supervisor binds once and every worker inherits.
//
// They outlive workers, so a restart refuses no connection.
#ifndef GROVE_SERVER_SUPERVISOR_ENDPOINTS_H_
#define GROVE_SERVER_SUPERVISOR_ENDPOINTS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace grove {

class Endpoints {
 public:
  // `http` as in http.listen. An error names the address and says what would help.
  static absl::StatusOr<Endpoints> Bind(const std::string& http, const std::string& run_dir,
                                        int workers);
  Endpoints(Endpoints&& other) noexcept
      : http_fd_(std::exchange(other.http_fd_, -1)),
        http_address_(std::move(other.http_address_)),
        slots_(std::move(other.slots_)),
        paths_(std::move(other.paths_)) {}
  Endpoints& operator=(Endpoints&&) = delete;
  ~Endpoints();

  int http_fd() const { return http_fd_; }
  // With the port that the kernel chose, if that was asked for.
  const std::string& http_address() const { return http_address_; }
  int link_fd(int worker) const { return slots_[worker].link; }
  int backdoor_fd(int worker) const { return slots_[worker].backdoor; }
  // Of UNIX sockets: to be unlinked at the end.
  const std::vector<std::string>& paths() const { return paths_; }

  // While the daemon drains: new connections are refused once the workers have let go of it too,
  // where they would otherwise hang in a backlog that nobody serves.
  void CloseHttp();
  // In worker `worker`: closes what is the others'.
  void KeepOnly(int worker);

 private:
  struct Slot {
    int link;
    int backdoor;
  };
  Endpoints() = default;
  absl::StatusOr<int> BindPrivate(const std::string& path);

  int http_fd_ = -1;
  std::string http_address_;
  std::vector<Slot> slots_;
  std::vector<std::string> paths_;
};

}  // namespace grove

#endif  // GROVE_SERVER_SUPERVISOR_ENDPOINTS_H_
