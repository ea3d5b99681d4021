// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `heddle explain` says of any kernel: what it is, what its target expects
// of it, and what it does. Patterns and recurrences differ in what their work
// is made of.

#ifndef HEDDLE_FRONTENDS_HEDDLE_KERNELEXPLANATION_H
#define HEDDLE_FRONTENDS_HEDDLE_KERNELEXPLANATION_H

#include "codegen/Target.h"
#include "frontends/common/Shape.h"

#include <string>
#include <vector>

namespace llvm::json {
class OStream;
} // namespace llvm::json

namespace heddle::cli {

/// What a part of the work is bound by.
const char *boundOf(Work Of);

/// Lines of a label and a text.
class ExplainLines {
public:
  void add(const char *Label, const std::string &Text);
  /// Below the last one.
  void more(const std::string &Text) { add("", Text); }
  std::string Out;
};

/// What a machine does, found by asking it.
struct Measurements {
  /// GFLOP/s of all threads, bytes per second in units of 10^9, and the seconds
  /// of a launch (the median, the fastest) and of a slot; 0 where nothing was
  /// measured.
  double Peak = 0, Bandwidth = 0;
  double MeasuredSeconds = 0, FastestSeconds = 0, SecondsPerSlot = 0;
  /// Of the level.
  double FlopPerSlot = 1;
  int64_t Repeat = 0;
  /// Why nothing was measured; empty where something was.
  std::string Unmeasured;
};

class KernelExplanation : public Measurements {
public:
  std::string Name, Level, Dtype;
  /// One per source, or those of a recurrence.
  std::vector<std::string> Formulas;
  frontend::Problem Sizes;
  int64_t Origin = 0;
  KernelShape Shape;

  attn::ScheduleAttr Schedule;
  /// The user asked for it.
  bool IsGiven = false;
  std::vector<ScheduleChoice> Choices;
  std::vector<MachineFact> Machine;
  /// Threads at work.
  int32_t Threads = 1;
  /// Bytes of q, k, v and o.
  double Bytes = 0;

  std::string text() const;
  std::string json() const;

protected:
  /// How the two kinds of kernels call things.
  struct Words {
    const char *Kind, *FormulasKey;
    /// The heads of the columns of choices.
    const char *Choices;
    /// What the arithmetic needs time for at least.
    const char *Floor;
    const char *OfPeak, *OfPeakKey;
  };

  ~KernelExplanation() = default;

  virtual Words words() const = 0;
  /// What all threads are busy with, in slots.
  virtual Cost busy() const = 0;
  /// Slots until the last thread is done.
  virtual double lastSlots() const = 0;
  /// Operations that somebody asked for, and those that take time.
  virtual double usefulFlop() const = 0;
  virtual double executedFlop() const = 0;
  /// What most of the predicted time goes to, in words.
  virtual std::string bound() const = 0;
  /// What the user could do; may be empty.
  virtual std::string suggestion() const = 0;

  virtual std::string choiceText(const ScheduleChoice &Choice) const = 0;
  virtual void addWork(ExplainLines &Out) const = 0;
  /// What follows the fastest launch.
  virtual std::string measuredText() const { return ""; }
  /// What is further known of a choice, the work, the prediction and the
  /// measurement.
  virtual void writeChoice(llvm::json::OStream &Json,
                           const ScheduleChoice &Choice) const = 0;
  virtual void writeWork(llvm::json::OStream &Json) const = 0;
  virtual void writePredicted(llvm::json::OStream &) const {}
  virtual void writeMeasured(llvm::json::OStream &) const {}

  /// Slots of all threads until the last is done, and the part of them in
  /// which there is nothing to do.
  double allSlots() const { return lastSlots() * Threads; }
  double idle() const;
  /// Seconds; 0 without measurements.
  double arithmeticSeconds() const;
  double memorySeconds() const;
  double predictedSeconds() const;
  bool waitsForMemory() const;
  /// The fraction of the peak that useful operations are predicted to reach.
  double predictedOfPeak() const;
  double measuredOfPeak() const;
  /// Predicted over measured time, of the fastest launch: a model knows of no
  /// neighbours on the machine.
  double accuracy() const;

private:
  void addChoices(ExplainLines &Out) const;
  void addShares(ExplainLines &Out) const;
  void addTimes(ExplainLines &Out) const;
  void writeProblem(llvm::json::OStream &Json) const;
  void writeTimes(llvm::json::OStream &Json) const;
};

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_KERNELEXPLANATION_H
