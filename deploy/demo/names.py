"""Made-up people: word lists to draw names from, and addresses that can belong to nobody (RFC 2606)."""

from __future__ import annotations

import random
import re
import unicodedata

_GIVEN = """
Aisha Alun Amara Anwen Arjun Beatriz Bethan Bryn Callum Carys Chidi Ciara Dafydd Daniela Dylan Efa Elif Emrys Esme
Farah Femi Ffion Freya Gareth Gethin Grace Gwen Hamza Hana Harriet Hywel Idris Ines Iolo Isla Jarek Jasmin Jonah Kaan
Keira Kofi Lena Leila Llinos Lowri Luca Mabli Maeve Malik Mared Marta Mei Mirac Morgan Nadia Naomi Nia Noah Olena
Orla Osian Owain Paloma Priya Quinn Rahul Rhian Rhodri Rosa Ruth Sacha Samira Seren Siân Sofia Steffan Tariq Tegan
Tomos Uma Vera Wen Yasmin Yusuf Zofia
""".split()  # noqa: SIM905 - easier to read than so many quotation marks
_FAMILY = """
Abernant Adeyola Ainscough Alderby Amberley Appleyard Ashdown Bancroft Barlowe Bellweather Birchall Blackmoor Bowland
Braithe Brightwell Calderbank Caradoc Castellano Chandrani Cleveley Coldwell Corfield Cragdale Dalloway Deepdale
Delacour Dunmail Eastwick Eddington Elterwater Fairclough Farleton Fernsby Garstang Gillamoor Greenhalgh Grimshawe
Halloran Harthwaite Haverigg Heysham Holbeck Ibarrola Inglewood Jankowiak Kellet Kendrick Kirkby Lancing Larkspur
Llewelyn Longridge Lunesdale Mallory Marchbank Meredydd Millbrook Moorcock Nakagami Netherby Newsome Oakenshaw
Okonjo Ormerod Pemberly Pendle Penhallow Quernmore Radcliffe Ravenglass Ribblehead Rosthwaite Rydal Sandholme
Scorton Silverdale Skelwith Smithills Sunderby Tarnbrook Thirlmere Threlfall Underbarrow Vaughnley Wainfleet
Wennington Whitbarrow Winmarleigh Wolfhall Wrayton Yewdale Żurawska
""".split()  # noqa: SIM905 - easier to read than so many quotation marks


def draw_name(draw: random.Random) -> str:
    """A given and a family name."""
    return f"{draw.choice(_GIVEN)} {draw.choice(_FAMILY)}"


def address(name: str, person_id: str, host: str) -> str:
    """An e-mail address; the id keeps those of two people of one name apart."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return f"{re.sub('[^a-z]+', '.', letters)}.{person_id[-4:]}@{host}"
