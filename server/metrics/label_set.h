// LabelSet: which names have series of their own on /metrics; the others are added up as "_other".
//
// A name keeps what was decided when it was first met, for the daemon's life and by every control
// (the set lies on the scoreboard): a sum that moved between the two would fall in one of them. Of
// several new ones those used most come first; once one was turned away, none is let in any more.
#ifndef GROVE_SERVER_METRICS_LABEL_SET_H_
#define GROVE_SERVER_METRICS_LABEL_SET_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "server/metrics/series.h"

namespace grove::metrics {

class LabelSet {
 public:
  struct Candidate {
    std::string name;
    double use = 0;
  };

  LabelSet(SeriesDirectory shown, size_t max);

  // Decides on those that it has not met; each name may come several times.
  void Admit(std::vector<Candidate> candidates);
  // `name`, or "_other".
  std::string Shown(std::string_view name);
  // How many of the candidates were not shown.
  size_t folded() const { return folded_; }

 private:
  SeriesDirectory directory_;
  SeriesIndex index_;
  const size_t max_;
  size_t folded_ = 0;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_LABEL_SET_H_
