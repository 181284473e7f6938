// BlockPool: memory that connections borrow while bytes are on their way.
//
// A connection that waits for a request holds none, so ten thousand idle ones cost no buffers; and
// those at work take turns on the block used last, which is still in the processor's cache. Must
// outlive its borrowers. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_BLOCK_POOL_H_
#define GROVE_SERVER_HTTP_SERVING_BLOCK_POOL_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace grove::http {

class BlockPool {
 public:
  using Block = std::unique_ptr<char[]>;
  // Holds nearly every request head, and a small response with its head.
  static constexpr size_t kBlockBytes = 4096;
  // Kept for the next borrower, at most: a megabyte.
  static constexpr size_t kKeptMax = 256;

  BlockPool() { kept_.reserve(kKeptMax); }
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // kBlockBytes, not cleared; last given, first taken.
  Block Take() {
    if (kept_.empty()) return Block(new char[kBlockBytes]);
    Block block = std::move(kept_.back());
    kept_.pop_back();
    return block;
  }
  // Takes back a buffer of `bytes`: a block, or a larger one that its borrower has grown.
  void Give(Block block, size_t bytes) {
    if (bytes == kBlockBytes && kept_.size() < kKeptMax) kept_.push_back(std::move(block));
  }

  size_t kept() const { return kept_.size(); }

 private:
  std::vector<Block> kept_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_BLOCK_POOL_H_
