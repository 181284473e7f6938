// OperationMirror: what control knows of the supervisor's operations.
//
// The supervisor says all of them when control starts, and each that changes; so a control that was
// replaced knows them again. Like the supervisor's it keeps the newest kEndedOperationsMax that
// have ended. Who follows one is told each change. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_OPERATION_MIRROR_H_
#define GROVE_SERVER_CONTROL_OPERATION_MIRROR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/internal/v1/supervision.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "runtime/sync/event.h"

namespace grove::control {

inline constexpr int kEndedOperationsMax = 50;
inline constexpr int32_t kOperationsPageDefault = 50;
inline constexpr int32_t kOperationsPageMax = 100;

bool HasEnded(const v1::Operation& operation);

class OperationMirror {
 public:
  // Must not park, nor follow or leave anything.
  using Follower = absl::AnyInvocable<void(const v1::Operation& operation)>;
  using FollowId = uint64_t;

  // Told of each that ends from now on; not of those that had ended when the supervisor first said
  // which there are.
  void set_on_ended(Follower follower) { on_ended_ = std::move(follower); }

  void Take(const v1::Operation& operation);
  void Take(const internal::v1::OperationsChanged& changed);
  // Whether the supervisor has said which there are; until it has. **Parks.**
  bool knows_all() const { return known_.ready(); }
  absl::Status AwaitAll() { return known_.Wait(); }

  // INVALID_ARGUMENT: no operation's name; NOT_FOUND. The pointer is good until the next Take().
  absl::StatusOr<const v1::Operation*> Find(std::string_view name) const;
  absl::Status List(const v1::ListOperationsRequest& request,
                    v1::ListOperationsResponse& response) const;

  // Told every change of it from now on, until Leave().
  FollowId Follow(std::string_view name, Follower follower);
  void Leave(FollowId follower) { followers_.erase(follower); }

 private:
  struct Following {
    int64_t number;
    Follower follower;
  };

  void ForgetOldest();

  Event known_;
  Follower on_ended_;
  std::map<int64_t, v1::Operation, std::greater<>> operations_;  // by number, the newest first
  FollowId next_follower_ = 1;
  std::map<FollowId, Following> followers_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_OPERATION_MIRROR_H_
