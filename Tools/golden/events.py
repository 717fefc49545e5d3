"""Writes the golden file of TensorBoard's events with the `tensorboard` package itself (2.21):
python Tools/golden/events.py Tests/TrainingTests/Golden/curves.tfevents"""

import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

START = 1700000000.0
VALUES = [("loss/training", 1, 0.25, 0.5), ("loss/validation", 1, 0.125, 0.5), ("norm/embedding", 300, 0.4, 90.25)]

with open(sys.argv[1], "wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=START, file_version="brain.Event:2").SerializeToString())
    for tag, step, value, seconds in VALUES:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.write(Event(wall_time=START + seconds, step=step, summary=summary).SerializeToString())
