#include "server/config/yaml_text.h"

#include <sstream>

#include "yaml-cpp/eventhandler.h"

namespace grove::config {
namespace {

using YAML::anchor_t;
using YAML::Mark;

// Where the root of a document stands.
class RootFinder final : public YAML::EventHandler {
 public:
  const std::optional<Mark>& mark() const { return mark_; }

  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark& mark, anchor_t) override { Note(mark); }
  void OnAlias(const Mark& mark, anchor_t) override { Note(mark); }
  void OnScalar(const Mark& mark, const std::string&, anchor_t, const std::string&) override {
    Note(mark);
  }
  void OnSequenceStart(const Mark& mark, const std::string&, anchor_t,
                       YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark& mark, const std::string&, anchor_t,
                  YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnMapEnd() override {}

 private:
  void Note(const Mark& mark) {
    if (!mark_) mark_ = mark;
  }

  std::optional<Mark> mark_;
};

}  // namespace

YamlText ReadYaml(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  RootFinder first;
  RootFinder second;
  if (parser.HandleNextDocument(first)) parser.HandleNextDocument(second);
  return {.document = YAML::Load(text), .second = second.mark()};
}

}  // namespace grove::config
