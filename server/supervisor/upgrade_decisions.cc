// How an upgrade is carried out, once its program runs in this process with the old children.
//
// Nobody is told to end before the new program has shown that it can serve: its stand-in serves
// HTTP beside the old workers, then control is replaced, whose tasks go on in the old workers. What
// fails until then is not the daemon's end: the process becomes the old program again. Only then
// the workers are replaced, as by any other roll.
#include "runtime/switch/abseil_text.h"
#include "server/supervisor/decision.h"

namespace grove::supervisor {

void Decision::operator()(const UpgradeFailed& failed) {
  Operation* operation = state_.operations.Find(failed.operation);
  if (operation == nullptr || operation->HasEnded()) return;
  if (state_.roll.operation == failed.operation) state_.roll = {};
  state_.operations.Fail(*operation, failed.why, "the program goes on as it was", failed.now);
}

void Decision::operator()(const ProgramReplaced& replaced) {
  Operation* operation = state_.operations.Find(replaced.operation);
  if (state_.stopping || operation == nullptr || operation->HasEnded()) return;
  BeginRoll(*operation, /*workers=*/true, /*control=*/true);
  state_.roll.proves = true;
}

void Decision::Prove(MonotonicNanos now) {
  if (state_.roll.control && state_.Accepts(kStandIn)) HandControlOver(now);
}

void Decision::EndProof() {
  state_.roll.proves = false;
  Do(ActionKind::kProven);
}

void Decision::FailProof() {
  if (state_.roll.failures < kProofFailuresMax) return;
  actions_.push_back({.kind = ActionKind::kGoBack, .operation = state_.roll.operation});
}

// Control is started anew by this program; workers that were started meanwhile are replaced.
void Decision::operator()(const WentBack& back) {
  OperationSpec spec{.kind = OperationKind::kRestart, .requested_by = "an upgrade that failed"};
  for (const int child : back.newer) {
    if (child == kControl && state_.children[kControl].pid != 0) HandControlOver(back.now);
    if (child < kStandIn) spec.slots.push_back(child);
  }
  state_.roll = {};
  Operation* operation = state_.operations.Find(back.operation);
  if (operation != nullptr && !operation->HasEnded()) {
    state_.operations.Fail(*operation, back.why, "the program goes on as it was", back.now);
  }
  // Where too many wait, those workers stay: they serve.
  if (!spec.slots.empty() && !state_.stopping) {
    state_.operations.Add(std::move(spec)).IgnoreError();
  }
}

}  // namespace grove::supervisor
