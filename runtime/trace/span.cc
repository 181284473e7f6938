#include "runtime/trace/span.h"

#include <utility>

#include "absl/time/clock.h"
#include "runtime/hub/fiber_local.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"

namespace grove {
namespace {

constexpr uint64_t kMillion = 1'000'000;

FiberLocal<CurrentTrace, Inheritance::kCopied>& Local() {
  static auto* const local = new FiberLocal<CurrentTrace, Inheritance::kCopied>;
  return *local;
}

// Spreads ids that follow each other (those of tasks do) over all numbers: SplitMix64's last steps.
uint64_t Mixed(uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

}  // namespace

uint64_t Tracer::NewId() {
  for (;;) {
    if (const auto id = absl::Uniform<uint64_t>(random_); id != 0) return id;
  }
}

TraceContext Tracer::Begin(const TraceContext& parent) {
  TraceContext context = parent;
  context.span = NewId();
  if (parent.valid()) return context;
  if (!parent.trace.valid()) context.trace = {NewId(), NewId()};
  // By the id alone: all of a trace that begins twice (attempts of a task) is told, or nothing.
  const uint64_t drawn = Mixed(context.trace.high ^ context.trace.low) % kMillion;
  context.sampled = drawn < static_cast<uint64_t>(sampled_per_million_);
  return context;
}

const CurrentTrace* CurrentTrace::Find() {
  const Hub* const hub = Hub::Current();
  if (hub == nullptr || hub->running() == nullptr) return nullptr;
  const CurrentTrace* const current = Local().Find();
  return current != nullptr && current->context.valid() ? current : nullptr;
}

TraceScope::TraceScope(TraceContext context, Tracer* tracer) {
  CurrentTrace* const current = Local().Find();
  had_ = current != nullptr;
  if (!had_ && !context.valid()) return;
  changed_ = true;
  if (had_) before_ = std::exchange(*current, {});
  Local().Set({.context = std::move(context), .tracer = tracer});
}

TraceScope::~TraceScope() {
  if (!changed_) return;
  if (had_) {
    Local().Set(std::move(before_));
  } else {
    Local().Clear();
  }
}

Span::Span(SpanKind kind) {
  const CurrentTrace* const current = CurrentTrace::Find();
  if (current == nullptr) return;
  tracer_ = current->tracer;
  Start(current->context, kind);
}

Span::Span(Tracer* tracer, const TraceContext& parent, SpanKind kind) : tracer_(tracer) {
  Start(parent, kind);
}

void Span::Start(const TraceContext& parent, SpanKind kind) {
  if (tracer_ == nullptr) {
    context_ = parent;
    return;
  }
  context_ = tracer_->Begin(parent);
  if (!context_.sampled) return;
  record_ = std::make_unique<SpanRecord>();
  record_->context = context_;
  record_->parent = parent.span;
  record_->kind = kind;
  record_->start = absl::Now();
}

Span::~Span() {
  if (!recording()) return;
  record_->end = absl::Now();
  tracer_->sink().Take(std::move(record_));
}

void Span::Fail(std::string_view kind, std::string_view message) {
  if (!recording()) return;
  Set("error.type", kind);
  record_->failed = true;
  record_->error = std::string(message);
}

void Span::Fail(const absl::Status& status) {
  if (recording()) Fail(absl::StatusCodeToString(status.code()), Std(status.message()));
}

}  // namespace grove
