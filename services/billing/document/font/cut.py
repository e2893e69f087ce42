"""Cuts Noto Sans SC to what documents need: `python3 cut.py NotoSansSC_400Regular.ttf NotoSansSC-GB2312.ttf` (needs fonttools)."""

import sys

from fontTools import subset

source, target = sys.argv[1:]
# GB 2312 whole, Latin, and signs that bills use.
text = {chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x100))} | set("–—‘’“”…€℃㎡㎥□￥")
for row in range(0xA1, 0xF8):
    for cell in range(0xA1, 0xFF):
        try:
            text.add(bytes([row, cell]).decode("gb2312"))
        except UnicodeDecodeError:
            pass

options = subset.Options()
options.hinting = False
options.layout_features = []
options.name_IDs = ["*"]
options.drop_tables += ["BASE", "GDEF", "GPOS", "GSUB", "STAT", "VORG", "gasp", "prep", "vhea", "vmtx", "DSIG", "GlyphOrder"]
options.recalc_timestamp = False
font = subset.load_font(source, options)
subsetter = subset.Subsetter(options)
subsetter.populate(text="".join(sorted(text)))
subsetter.subset(font)
subset.save_font(font, target, options)
missing = sorted(char for char in text if ord(char) not in font.getBestCmap())
print(len(font.getBestCmap()), "characters; not in the source:", "".join(missing) or "none")
