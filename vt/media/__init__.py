"""ffmpeg and sound: what is in a film, and what is made of it; nothing but the named files is opened.

Nothing here knows of jobs.
"""

from vt.media.audio import (
    Bed,
    aac_packets,
    converted,
    join_aac,
    output_rate,
    raised_at_end,
    shifted,
    stretched,
)
from vt.media.burning import Picture, check_renderer, picture_of
from vt.media.codecs import is_decodable
from vt.media.commands import ACCEPTED_FORMATS, unfit
from vt.media.cutting import beginning
from vt.media.encoding import FORMATS, MOST_ENCODED_BYTES, encode, with_its_length
from vt.media.extraction import SPEECH_RATE, SoundFormat, StoredSamples, extract, extract_in, extracted, full_format
from vt.media.fonts import Font, font_for
from vt.media.joining import join
from vt.media.loudness import LIMIT, TARGET_LUFS, TRUE_PEAK_DBTP, Loudness, loudness_at, momentary_loudness
from vt.media.muxing import Burn, Named, Soft, mux
from vt.media.page_copy import page_copy
from vt.media.pitch import median_pitch
from vt.media.probing import MediaInfo, Track, check_readable, measured_seconds, probe
from vt.media.slowing import Slowed, Slowing, slowed_samples
from vt.media.stretching import Stretcher
from vt.media.text_tracks import holds_text, subtitle_text, subtitle_track
from vt.media.thumbnail import thumbnail
from vt.media.track_parts import TrackPart, encoded_part, encoder_version
from vt.media.wav import wav
from vt.media.waveform import peaks

__all__ = [
    "ACCEPTED_FORMATS",
    "FORMATS",
    "LIMIT",
    "MOST_ENCODED_BYTES",
    "SPEECH_RATE",
    "TARGET_LUFS",
    "TRUE_PEAK_DBTP",
    "Bed",
    "Burn",
    "Font",
    "Loudness",
    "MediaInfo",
    "Named",
    "Picture",
    "Slowed",
    "Slowing",
    "Soft",
    "SoundFormat",
    "StoredSamples",
    "Stretcher",
    "Track",
    "TrackPart",
    "aac_packets",
    "beginning",
    "check_readable",
    "check_renderer",
    "converted",
    "encode",
    "encoded_part",
    "encoder_version",
    "extract",
    "extract_in",
    "extracted",
    "font_for",
    "full_format",
    "holds_text",
    "is_decodable",
    "join",
    "join_aac",
    "loudness_at",
    "measured_seconds",
    "median_pitch",
    "momentary_loudness",
    "mux",
    "output_rate",
    "page_copy",
    "peaks",
    "picture_of",
    "probe",
    "raised_at_end",
    "shifted",
    "slowed_samples",
    "stretched",
    "subtitle_text",
    "subtitle_track",
    "thumbnail",
    "unfit",
    "wav",
    "with_its_length",
]
