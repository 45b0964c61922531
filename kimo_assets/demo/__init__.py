"""The demo company: an invented Italian distributor whose ERP, pictures and kimo.yaml are made on
demand.

Here is what others may use. Importing the company into Kimo is the rest of the package's work.
"""

from kimo_assets.demo.company import DemoCompany, generate_company
from kimo_assets.demo.next_day import change_company
from kimo_assets.demo.scales import SCALES, Scale

__all__ = ["SCALES", "DemoCompany", "Scale", "change_company", "generate_company"]
