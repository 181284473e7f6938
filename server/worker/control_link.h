// ControlLink: the worker's end of the conversation with control.
//
// Control connects to the slot's socket; the worker greets it with what runs, then sends what
// gathered once per hub turn. A new connection takes the place of an old one: control has
// restarted. Attempts go on whether or not anybody is connected.
// Hub thread only.
#ifndef GROVE_SERVER_WORKER_CONTROL_LINK_H_
#define GROVE_SERVER_WORKER_CONTROL_LINK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"
#include "runtime/offload/offload.h"
#include "server/worker/application_desk.h"
#include "server/worker/attempts.h"
#include "server/worker/linked_task_client.h"
#include "server/worker/tenant_quotas.h"

namespace grove::worker {

// Of one control, and of those whose conversation is being ended.
inline constexpr int64_t kConversationsMax = 16;
// Requests for lists of fibers and of greened calls that wait for their turn; control has fewer
// under way. Those beyond are dropped.
inline constexpr size_t kFiberRequestsMax = 256;

class ControlLink {
 public:
  // Says who the worker is. Stacks are put into words on `offload`. Everything must outlive it.
  ControlLink(int worker, const Attempts::Functions& functions, Attempts& attempts,
              OffloadPool& offload, LinkedTaskClient& inside, http::TenantLabels& labels,
              TenantQuotas& quotas);
  ControlLink(const ControlLink&) = delete;
  ControlLink& operator=(const ControlLink&) = delete;

  // The body of a fiber: serves control after control until cancelled. **Parks.**
  absl::Status Run(Listener& listener);
  // What answers for the application; without it nothing does. Before Run(); must outlive it.
  void set_desk(ApplicationDesk& desk) { desk_ = &desk; }
  // Speaks with one control until either side ends; ends the one before. **Parks.**
  absl::Status Serve(Socket socket);

  // Tells control, now and in every later greeting.
  void AnnounceDrain();
  // Tells control what tenants' requests have run, if anything did, as soon as there is a link.
  void TellUsage();
  bool connected() const { return current_ != nullptr; }

 private:
  struct Conversation;

  internal::v1::WorkerFrame Greeting();
  // After the greeting, until either side ends it. **Parks.**
  absl::Status Converse(Conversation& with);
  absl::StatusOr<std::string> NextFrame(Conversation& with);
  // Answers requests for lists, one after another: beside the writer, as one with stacks takes its
  // time. **Parks.**
  absl::Status AnswerLists(Conversation& with);
  // Each on a fiber of its own.
  void TakeInjected(Conversation& with, internal::v1::Inject inject);
  absl::Status Obey(Conversation& with, std::string_view bytes);
  bool Gather(Conversation& with, internal::v1::WorkerFrame& frame);

  const int worker_;
  const uint64_t incarnation_;
  const Attempts::Functions& functions_;
  Attempts& attempts_;
  OffloadPool& offload_;
  LinkedTaskClient& inside_;
  http::TenantLabels& labels_;
  TenantQuotas& quotas_;
  ApplicationDesk* desk_ = nullptr;
  bool usage_due_ = false;
  bool draining_ = false;
  Conversation* current_ = nullptr;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_CONTROL_LINK_H_
