#include "server/control/worker_links.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace grove::control {

WorkerLinks::WorkerLinks(std::string run_dir, const metrics::Scoreboard& scoreboard,
                         EngineDriver& driver, InsideCalls& inside)
    : run_dir_(std::move(run_dir)), scoreboard_(scoreboard), driver_(driver), inside_(inside) {}

absl::Status WorkerLinks::Follow() {
  if (slots_.size() < static_cast<size_t>(scoreboard_.workers())) {
    slots_.resize(static_cast<size_t>(scoreboard_.workers()));
  }
  for (int worker = 0; worker < static_cast<int>(slots_.size()); ++worker) {
    const bool wanted = scoreboard_.slot(worker).state.load() != metrics::SlotState::kEmpty;
    if (wanted == static_cast<bool>(slots_[worker].fiber)) continue;
    if (!wanted) {
      FiberHandle ending = std::exchange(slots_[worker].fiber, FiberHandle());
      ending.Cancel();
      ending.AwaitEnd();
      continue;
    }
    std::unique_ptr<WorkerLink>& link = slots_[worker].link;
    if (link == nullptr) {
      link = std::make_unique<WorkerLink>(
          worker, absl::StrCat(run_dir_, "/worker-", worker, ".link"), driver_, inside_);
      link->set_greeting(greeting_);
      link->set_on_program(on_program_);
      link->set_payloads(payloads_);
    }
    absl::StatusOr<FiberHandle> fiber = Spawn("link", [link = link.get()] { return link->Run(); });
    if (!fiber.ok()) return fiber.status();
    slots_[worker].fiber = *std::move(fiber);
  }
  return absl::OkStatus();
}

WorkerLink* WorkerLinks::Find(int worker) const {
  const bool has = worker >= 0 && worker < static_cast<int>(slots_.size()) &&
                   static_cast<bool>(slots_[worker].fiber);
  return has ? slots_[worker].link.get() : nullptr;
}

bool WorkerLinks::linked(int worker) const {
  const WorkerLink* link = Find(worker);
  return link != nullptr && link->linked();
}

bool WorkerLinks::AnyLinked() const {
  for (int worker = 0; worker < static_cast<int>(slots_.size()); ++worker) {
    if (linked(worker)) return true;
  }
  return false;
}

std::vector<bool> WorkerLinks::Linked() const {
  std::vector<bool> linked_now;
  linked_now.reserve(static_cast<size_t>(scoreboard_.workers()));
  for (int worker = 0; worker < scoreboard_.workers(); ++worker) {
    linked_now.push_back(linked(worker));
  }
  return linked_now;
}

bool WorkerLinks::AnyUnread() const {
  for (int worker = 0; worker < static_cast<int>(slots_.size()); ++worker) {
    const WorkerLink* link = Find(worker);
    if (link != nullptr && link->HasUnread()) return true;
  }
  return false;
}

void WorkerLinks::Send(int worker, internal::v1::ControlFrame frame) {
  if (WorkerLink* link = Find(worker)) link->Send(std::move(frame));
}

void WorkerLinks::SendToAll(const internal::v1::ControlFrame& frame) {
  for (int worker = 0; worker < static_cast<int>(slots_.size()); ++worker) Send(worker, frame);
}

// By index: a Follow() meanwhile may make room for more.
absl::Status WorkerLinks::AwaitLinked() const {
  for (int worker = 0; worker < static_cast<int>(slots_.size()); ++worker) {
    WorkerLink* link = Find(worker);
    if (link == nullptr) continue;
    if (absl::Status linked = link->AwaitLinked(); !linked.ok()) return linked;
  }
  return absl::OkStatus();
}

absl::Status WorkerLinks::AwaitWritten() const {
  for (int worker = 0; worker < static_cast<int>(slots_.size()); ++worker) {
    WorkerLink* link = Find(worker);
    if (link == nullptr) continue;
    if (absl::Status written = link->AwaitWritten(); !written.ok()) return written;
  }
  return absl::OkStatus();
}

}  // namespace grove::control
